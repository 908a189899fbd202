"""`baton demo`: a quarter in the life of a fictional company, told through the public doors in a few minutes."""

from typing import Annotated

import typer

from deploy.cli.exits import Failed
from deploy.cli.output import AsJson, say, show_document, show_pairs, show_table
from deploy.cli.progress import Progress
from deploy.cli.stacks import homes
from deploy.local import stack
from deploy.local.stack import DidNotStart
from deploy.local.state import home_folder

__all__ = ["demo"]


def demo(
    *,
    stop: Annotated[bool, typer.Option("--stop", help="Stop everything at the end.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed, another quarter.")] = 7,
    leads: Annotated[int, typer.Option(help="How many people the market has.")] = 420,
    days: Annotated[int, typer.Option(min=1, max=91, help="How much of the quarter is told.")] = 91,
    as_json: AsJson = False,
) -> None:
    """Play a quarter of leads through the whole loop, then show what came of it. Takes some minutes."""
    from deploy.demo.run import NotTold, tell_it  # noqa: PLC0415 - drivers and clients only this command needs

    for home in homes():
        if stack.find(home):
            say(f"  ending the stack in {home}")
            stack.down(home)
    home = home_folder() / "demo"
    stack.erase(home)
    with Progress("the quarter") as progress:
        try:
            told = tell_it(home, seed=seed, leads=leads, days=days, step=say, progress=progress.show)
        except (DidNotStart, NotTold) as error:
            raise Failed(str(error)) from error
        finally:
            if stop:
                stack.down(home)
    if as_json:
        show_document(told.document)
        return
    for title, columns, rows in told.tables:
        show_table(title, columns, rows)
    document = told.document
    print(f"\n{document['steps_of_the_world']} steps of the world in {document['elapsed_seconds']:.0f} s.")
    if stop:
        print("Everything that was started is stopped.")
        return
    show_pairs([("console", told.console), *told.sign_ins, ("stop", "baton down")])
