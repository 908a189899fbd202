"""`baton demo`: a quarter in the life of a fictional company, told through the public doors in a few minutes."""

from typing import Annotated

import typer

from deploy.cli.exits import Failed
from deploy.cli.homes import homes
from deploy.cli.output import AsJson, say, show_document, show_pairs, show_table
from deploy.cli.progress import Progress
from deploy.local import stack
from deploy.local.stack import DidNotStart
from deploy.local.state import home_folder

__all__ = ["demo"]

# Fewer would not have the three of the story's mishaps among them.
_PEOPLE_MIN = 60
_PROOFS = "baton verify   baton replay-decision   baton parked list"


def demo(
    *,
    stop: Annotated[bool, typer.Option("--stop", help="Stop everything at the end.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed, another quarter.")] = 7,
    leads: Annotated[int, typer.Option(min=_PEOPLE_MIN, help="How many people the market has.")] = 420,
    days: Annotated[int, typer.Option(min=1, max=91, help="How much of the quarter is told.")] = 91,
    as_json: AsJson = False,
) -> None:
    """Play a quarter of leads through the whole loop. Ends another stack of this place first; its data stay.

    Exit codes: 0 told, 1 the story broke off, 4 something is missing, 130 interrupted (nothing is left running).
    """
    from deploy.demo.run import NotTold, tell_it  # noqa: PLC0415 - drivers and clients only this command needs

    for home in homes():
        if stack.down(home):  # one whose supervisor was killed, too
            say(f"  ended the stack in {home}")
    home = home_folder() / "demo"
    stack.erase(home)
    with Progress("the quarter") as progress:
        try:
            told = tell_it(home, seed=seed, leads=leads, days=days, step=say, progress=progress.show)
        except (DidNotStart, NotTold) as error:
            raise Failed(str(error)) from error
        except KeyboardInterrupt:
            say("\n  ending what was started")
            stop = True
            raise
        finally:
            if stop:
                stack.down(home)
    if as_json:
        show_document(told.document)
        return
    document = told.document
    print(f"{days} days of Nordlicht, who sell shift planning, told in {document['elapsed_seconds']:.0f} s.")
    for title, columns, rows in told.tables:
        show_table(title, columns, rows)
    if stop:
        print("\nEverything that was started is stopped.")
        return
    show_table("Sign in", ["as", "user", "password"], told.sign_ins)
    print()
    show_pairs([("console", told.console), ("prove it", _PROOFS), ("stop", "baton down")])
