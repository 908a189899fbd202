"""`baton replay bpi2012|deliveries`: a recorded log through the doors, or kept deliveries through ingest once more."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.exits import Failed, NeedsMissing
from deploy.cli.output import AsJson, say, show_document, show_pairs
from deploy.cli.progress import Progress
from deploy.local import stack
from deploy.local.stack import DidNotStart
from deploy.local.state import home_folder

__all__ = ["replay"]

replay = typer.Typer(no_args_is_help=True, help="Feed recorded activity through the doors again.")

_SHA256 = "0429a18ed3d9dec715ee2e76c36114edfdec059f5bb765aa29458a267e74feac"
_WHERE = (
    "The log is the public BPI Challenge 2012 (DOI 10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f).\n"
    "  Put it at {file} and repeat; --data names another folder. Nothing was started."
)


@replay.callback()
def _about() -> None:
    """Feed recorded activity through the doors again."""


@replay.command()
def bpi2012(
    *,
    data: Annotated[Path, typer.Option(help="Folder with bpi2012/BPI_Challenge_2012.xes.gz.")] = Path("../shared/data"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running, to look at it.")] = False,
    as_json: AsJson = False,
) -> None:
    """262,200 events of a loan desk, 166 days: speed to lead, and that nothing was lost. Takes some minutes."""
    from deploy.demo.desk_stack import NotReplayed, replay_desk  # noqa: PLC0415 - drivers only this command needs
    from deploy.demo.loan_desk import FILE, read_log  # noqa: PLC0415 - the same

    file = data / FILE
    if not file.exists():
        raise NeedsMissing(f"{file} is not here.\n  {_WHERE.format(file=file)}")
    if hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256:
        raise NeedsMissing(f"{file} is not the published log: its SHA-256 differs.\n  {_WHERE.format(file=file)}")
    home = home_folder() / "replay"
    stack.down(home)
    stack.erase(home)
    say("reading the log")
    cases = list(read_log(file))
    with Progress("the log") as progress:
        try:
            figures = replay_desk(home, cases, step=say, progress=progress.show)
        except (DidNotStart, NotReplayed) as error:
            raise Failed(str(error)) from error
        finally:
            if not keep:
                stack.down(home)
    if as_json:
        show_document(figures)
    else:
        show_pairs([(name, str(value)) for name, value in figures.items()])


@replay.command("deliveries")
def replay_deliveries(
    *,
    since: Annotated[str, typer.Option("--from", help="Received at or after, as 2026-06-10T09:00Z.")],
    until: Annotated[str, typer.Option("--to", help="Received at or before; else now.")] = "",
    source: Annotated[str, typer.Option(help="Only of this source: its name or id.")] = "",
    rate: Annotated[int, typer.Option(help="How many a second, at most 500.")] = 200,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Begin the job and do not wait for its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Handle kept deliveries again, after a rule or mapping got better; what was kept of them adds nothing twice."""
    from deploy.cli.parked import many, selection  # noqa: PLC0415 - only this needs it

    chosen = selection(source, "", since, until)
    many("feed", chosen, rate=rate, because="", wait=not no_wait, as_json=as_json)
