"""`baton import leads|activities|spend FILE`: looks at a file, sends it, and writes beside it what was refused.

The same command again is the same import: what was handled adds nothing, what was not is handled now. How a file is
read is decided by the service alone; this command knows only bytes.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deploy.cli.calls import calling
from deploy.cli.exits import DoneInPart, Failed, NeedsMissing, RefusedByRule
from deploy.cli.output import AsJson, say, show_document, show_pairs, show_table
from deploy.cli.progress import Progress

if TYPE_CHECKING:
    from deploy.local.operator import OperatorCalls

__all__ = ["imports"]

_LOOK_SECONDS = 0.1
_CHUNK_BYTES = 256 * 1024
_BEGINNING_BYTES = 1024 * 1024  # what a preview needs of a file
_SEND_SECONDS = 900.0  # a file of a hundred mebibytes is cut before it is answered
_CSV = {"content-type": "text/csv"}
_SHOWN = ("records", "leads_new", "activities", "repeats", "refused", "suppressed", "counted", "conflicts")
imports = typer.Typer(no_args_is_help=True, help="Files of leads, activities and spend; again adds nothing.")
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look at the file here, without a stack, and send nothing.")]
Preview = Annotated[bool, typer.Option("--preview", help="Show how it would be read and what refused; keep nothing.")]
Said = Annotated[
    list[str] | None,
    typer.Option("--map", help="Heading=field, as often as needed; nothing behind = leaves the column out."),
]
Fixed = Annotated[
    list[str] | None,
    typer.Option("--set", help="field=value for records that say nothing, as kind=field_event_attended."),
]
Zone = Annotated[str, typer.Option(help="Zone of times that name none, as Europe/Berlin.")]
Dates = Annotated[str, typer.Option(help="How 06/10/2026 is meant: dmy or mdy; iso refuses it.")]


@imports.command("leads")
def import_leads(
    file: Path,
    *,
    said: Said = None,
    fixed: Fixed = None,
    time_zone: Zone = "UTC",
    dates: Dates = "iso",
    preview: Preview = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import a CSV of people: email, name, title, company, consent, and the other columns of the documentation."""
    how = {"map": said or [], "set": fixed or [], "time_zone": time_zone, "dates": dates}
    _look_or_import("leads", file, how, dry_run=dry_run, preview=preview, as_json=as_json)


@imports.command("activities")
def import_activities(
    file: Path,
    *,
    said: Said = None,
    fixed: Fixed = None,
    time_zone: Zone = "UTC",
    dates: Dates = "iso",
    preview: Preview = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import badge scans, dinners, calls with notes, at their true times: kind, occurred_at, email, as for leads."""
    how = {"map": said or [], "set": fixed or [], "time_zone": time_zone, "dates": dates}
    _look_or_import("activities", file, how, dry_run=dry_run, preview=preview, as_json=as_json)


@imports.command("spend")
def import_spend(file: Path, *, said: Said = None, preview: Preview = False, as_json: AsJson = False) -> None:
    """Import what campaigns cost: amount, currency, period (2026-06, 2026-Q2) or since_on and until_on, campaign."""
    _check(file)
    with calling() as calls:
        path = "/v1/spend/preview" if preview else "/v1/spend"
        told = calls.call("feedback", "POST", path, content=file.read_bytes(), params={"map": said or []}, headers=_CSV)
    if as_json:
        show_document(told)
    elif preview:
        show_table("", ["column", "read as"], [[one["heading"], one["field"] or "left out"] for one in told["columns"]])
        columns = ["record", "since_on", "until_on", "traffic_source", "campaign", "amount_minor", "currency"]
        show_table("The first lines", columns, [[row[name] for name in columns] for row in told["rows"]])
    else:
        show_pairs([(name, told[name]) for name in ("records", "taken", "repeated")])
    refused = told["refused"]
    if told.get("note"):
        say(f"  {told['note']}")
    if refused and not as_json:
        show_table(
            "Refused", ["record", "column", "reason"], [[one["record"], one["field"], one["reason"]] for one in refused]
        )
    if refused and not preview:
        raise DoneInPart(
            f"{len(refused)} lines were refused. Mend them and send the file again: the others stay as they are."
        )


def _look_or_import(
    kind: Literal["leads", "activities"],
    file: Path,
    how: dict[str, Any],
    *,
    dry_run: bool,
    preview: bool,
    as_json: bool,
) -> None:
    """Show the columns of a file and send nothing, or import it."""
    if dry_run:
        _check(file)
        _show_columns(file, as_json=as_json)
    else:
        _import(kind, file, how, preview=preview, as_json=as_json)


def _import(
    kind: Literal["leads", "activities"], file: Path, how: dict[str, Any], *, preview: bool, as_json: bool
) -> None:
    _check(file)
    if preview:
        _show_preview(kind, file, how, as_json=as_json)
        return
    with calling() as calls, Progress(file.name) as progress:
        sent = calls.call(
            "ingest",
            "POST",
            f"/v1/imports/{kind}",
            content=_chunks(file, progress),
            params={"name": file.name, **how},
            headers=_CSV,
            timeout_seconds=_SEND_SECONDS,
        )
        if sent.get("note"):
            say(f"  {sent['note']}")
        done = _follow(calls, sent, progress)
        rejects = _write_rejects(calls, kind, file, how) if done["refused"] else None
    if as_json:
        show_document(
            {
                **{name: done[name] for name in _SHOWN},
                "import_id": done["id"],
                "note": done["note"],
                "rejects_file": rejects,
            }
        )
    else:
        show_pairs([(name.replace("_", " "), done[name]) for name in _SHOWN])
    if rejects:
        raise DoneInPart(
            f"{done['refused']} records were refused; {rejects} holds them with their reasons. Mend them there and "
            "import that file the same way."
        )


def _check(file: Path) -> None:
    if not file.is_file():
        raise NeedsMissing(f"There is no file {file}: name a CSV file.")


def _chunks(file: Path, progress: Progress) -> Iterator[bytes]:
    """The file in pieces, so that memory does not grow with it."""
    size, sent = max(file.stat().st_size, 1), 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            yield chunk
            sent += len(chunk)
            progress.show(min(sent / size, 0.99), f"sending, {sent / 1e6:.1f} of {size / 1e6:.1f} MB")


def _follow(calls: "OperatorCalls", sent: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Wait until everything that was sent has been handled."""
    pause = Event()
    while sent["state"] != "handled":
        if sent["state"] == "broken":
            raise Failed("The import broke off on its way in; the same command again sends the rest.")
        share = sent["records_handled"] / max(sent["records"], 1)
        progress.show(share, f"{sent['records_handled']} of {sent['records']} records handled")
        pause.wait(_LOOK_SECONDS)
        sent = calls.call("ingest", "GET", f"/v1/imports/{sent['id']}")
    progress.show(1.0, f"{sent['records']} records handled")
    return sent


def _write_rejects(calls: "OperatorCalls", kind: str, file: Path, how: dict[str, Any]) -> str | None:
    """The refused records as they stand in the file, with their reasons, as `<name>.rejects.csv` beside it.

    None when nothing can be mended: they were refused for who the person is, not for how the record is written.
    """
    answer = calls.send(
        "ingest",
        "POST",
        f"/v1/imports/{kind}/rejects",
        content=_chunks(file, Progress(file.name)),
        params=how,
        headers=_CSV,
        timeout_seconds=_SEND_SECONDS,
    )
    if answer.text.count("\n") <= 1:
        return None
    target = file.with_name(f"{file.stem}.rejects.csv")
    target.write_text(answer.text, encoding="utf-8", newline="")
    return str(target)


def _show_preview(kind: str, file: Path, how: dict[str, Any], *, as_json: bool) -> None:
    with file.open("rb") as content:
        beginning = content.read(_BEGINNING_BYTES)
        is_whole = not content.read(1)
    with calling() as calls:
        told = calls.call(
            "ingest",
            "POST",
            f"/v1/imports/{kind}/preview",
            content=beginning,
            params={"is_beginning": "false" if is_whole else "true", **how},
            headers=_CSV,
        )
    if as_json:
        show_document(told)
        return
    show_table(
        "",
        ["column", "read as", ""],
        [[one["heading"], one["field"] or "left out", _how_known(one)] for one in told["columns"]],
    )
    show_table("The first records", ["record", "kind", "occurred at", "person", "company", "text"], _record_rows(told))
    looked = f"{told['looked_at']} records looked at" + ("" if told["is_whole"] else ", there are more")
    reasons = ", ".join(f"{reason} {count}" for reason, count in told["refused"].items())
    show_pairs([("", looked), ("would be refused", reasons or "none"), ("sent", "nothing (--preview)")])
    if told["rejects"]:
        rows = [[one["record"], one["reason"], one["detail"]] for one in told["rejects"]]
        show_table("Refused", ["record", "reason", "detail"], rows)
    if told["note"]:
        say(f"  {told['note']}")


def _how_known(column: dict[str, Any]) -> str:
    if not column["field"]:
        return ""
    if not column["is_known"]:
        return "kept as an answer; --map gives it a meaning"
    return "guessed" if column["is_guessed"] else ""


def _record_rows(told: dict[str, Any]) -> list[list[object]]:
    return [
        [
            one["record"],
            one["kind"],
            one["occurred_at"] or "",
            one["email"] or ", ".join(one["identifiers"]),
            one["company"],
            one["text"][:40].replace("\n", " "),
        ]
        for one in told["records"]
    ]


def _show_columns(file: Path, *, as_json: bool) -> None:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            columns, records = _columns(file, encoding)
        except UnicodeDecodeError:
            continue
        break
    else:
        raise RefusedByRule(f"{file} is neither UTF-8 nor Windows-1252. Save it as CSV in UTF-8 and send it again.")
    note = "" if encoding == "utf-8-sig" else "it is no UTF-8 and is read as Windows-1252"
    if as_json:
        show_document({"columns": columns, "records": max(records, 0), "note": note})
    else:
        show_pairs([("columns", ", ".join(columns)), ("records", max(records, 0)), ("sent", "nothing (--dry-run)")])
        if note:
            say(f"  {file.name}: {note}; save it as UTF-8 if names look wrong.")


def _columns(file: Path, encoding: str) -> tuple[list[str], int]:
    """Headings and number of records. Raises UnicodeDecodeError, or RefusedByRule for what is no CSV."""
    columns: list[str] = []
    records, line = -1, 0  # the header is no record
    with file.open(newline="", encoding=encoding) as text:
        start = text.readline()
        text.seek(0)
        rows = csv.reader(text, strict=True, delimiter=max(",;\t|", key=start.count))
        try:
            for row in rows:
                columns = columns or row
                records, line = records + bool(row), rows.line_num
        except csv.Error as error:
            raise RefusedByRule(
                f"{file}, record {records + 1} (line {line + 1}): a quote is not closed, or stands bare ({error}). "
                'Close it, or double it ("") where it belongs to the text.'
            ) from error
    return columns, records
