"""`baton import leads|activities FILE`: sends a CSV, follows it, and writes what was refused into a file beside it.

The same command again is the same import: what was handled adds nothing, what was not is handled now.
"""

import csv
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deploy.cli.calls import calling
from deploy.cli.exits import DoneInPart, Failed, NeedsMissing, RefusedByRule
from deploy.cli.output import AsJson, say, show_document, show_pairs
from deploy.cli.progress import Progress

if TYPE_CHECKING:
    from deploy.local.operator import OperatorCalls

__all__ = ["imports"]

_LOOK_SECONDS = 0.1
_SHOWN = ("records", "leads_new", "activities", "repeats", "refused", "suppressed", "counted", "conflicts")
imports = typer.Typer(no_args_is_help=True, help="Files of leads and activities; again adds nothing.")
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look at the file and send nothing.")]


@imports.command("leads")
def import_leads(file: Path, *, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Import a CSV of people: email, name, title, company, consent, and the other columns of the documentation."""
    _import("leads", file, dry_run=dry_run, as_json=as_json)


@imports.command("activities")
def import_activities(file: Path, *, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Import a CSV of activities with their true times: kind, occurred_at, email, and the columns of leads."""
    _import("activities", file, dry_run=dry_run, as_json=as_json)


def _import(kind: Literal["leads", "activities"], file: Path, *, dry_run: bool, as_json: bool) -> None:
    if not file.is_file():
        raise NeedsMissing(f"There is no file {file}: name a CSV file.")
    if dry_run:
        _show_columns(file, as_json=as_json)
        return
    with calling() as calls, Progress(file.name) as progress:
        say(f"  sending {file.name}, {file.stat().st_size / 1e6:.1f} MB")
        sent = calls.call(
            "ingest",
            "POST",
            f"/v1/imports/{kind}",
            content=file.read_bytes(),
            params={"name": file.name},
            headers={"content-type": "text/csv"},
        )
        done = _follow(calls, sent, progress)
        rejects = _write_rejects(calls, done, file)
    if as_json:
        show_document({**{name: done[name] for name in _SHOWN}, "import_id": done["id"], "rejects_file": rejects})
    else:
        show_pairs([(name.replace("_", " "), done[name]) for name in _SHOWN])
    if rejects:
        raise DoneInPart(
            f"{done['refused']} records were refused; {rejects} says which and why. Mend and send them again."
        )


def _follow(calls: "OperatorCalls", sent: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Wait until everything that was sent has been handled."""
    pause = Event()
    while sent["state"] != "handled":
        if sent["state"] == "broken":
            raise Failed("The import broke off on its way in; the same command again sends the rest.")
        share = sent["records_handled"] / max(sent["records"], 1)
        progress.show(share, f"{sent['records_handled']} of {sent['records']} records")
        pause.wait(_LOOK_SECONDS)
        sent = calls.call("ingest", "GET", f"/v1/imports/{sent['id']}")
    progress.show(1.0, f"{sent['records']} records")
    return sent


def _write_rejects(calls: "OperatorCalls", done: dict[str, Any], file: Path) -> str | None:
    """The refused records beside the file, as `<name>.rejects.csv`; None when nothing was refused."""
    if not done["rejects"]:
        return None
    target = file.with_name(f"{file.stem}.rejects.csv")
    with target.open("w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=["record", "reason", "detail"])
        writer.writeheader()
        page = done
        while page["rejects"]:
            writer.writerows(page["rejects"])
            after = page["rejects"][-1]["record"]
            page = calls.call("ingest", "GET", f"/v1/imports/{done['id']}", params={"rejects_after": after})
    return str(target)


def _show_columns(file: Path, *, as_json: bool) -> None:
    columns: list[str] = []
    records, line = -1, 0  # the header is no record
    with file.open(newline="", encoding="utf-8-sig") as text:
        rows = csv.reader(text, strict=True)
        try:
            for row in rows:
                columns = columns or row
                records, line = records + bool(row), rows.line_num
        except UnicodeDecodeError as error:
            raise RefusedByRule(f"{file} is not UTF-8. Save it as CSV in UTF-8 and send it again.") from error
        except csv.Error as error:
            raise RefusedByRule(
                f"{file}, record {records + 1} (line {line + 1}): a quote is not closed, or stands bare ({error}). "
                'Close it, or double it ("") where it belongs to the text.'
            ) from error
    if as_json:
        show_document({"columns": columns, "records": max(records, 0)})
    else:
        show_pairs([("columns", ", ".join(columns)), ("records", max(records, 0)), ("sent", "nothing (--dry-run)")])
