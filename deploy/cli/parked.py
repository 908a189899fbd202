"""`baton parked`: events set aside, one by one in every service, and parked deliveries by group or by time.

Many at once are a job of ingest: it goes on when this command is interrupted, and `baton parked jobs` shows it.
"""

from datetime import datetime
from threading import Event
from typing import Annotated, Any

import typer

from deploy.cli.calls import calling
from deploy.cli.exits import DoneInPart, NeedsMissing, WrongUse
from deploy.cli.output import AsJson, show_document, show_pairs, show_table
from deploy.cli.progress import Progress
from shared.config import SERVICES

__all__ = ["many", "parked", "selection"]

_NOT_FOUND, _NO_ID = 404, 422
_LOOK_SECONDS = 0.2
parked = typer.Typer(no_args_is_help=True, help="Events that could not be handled: look, replay, discard.")
Source = Annotated[str, typer.Option(help="Only of this source: its name or id.")]
Reason = Annotated[str, typer.Option(help="Only those parked for this reason, as origin_not_listed.")]
Since = Annotated[str, typer.Option("--from", help="Parked at or after, as 2026-06-10T09:00Z.")]
Until = Annotated[str, typer.Option("--to", help="Parked at or before; else now.")]
Rate = Annotated[int, typer.Option(help="How many a second, at most 500.")]
Detach = Annotated[bool, typer.Option("--no-wait", help="Begin the job and do not wait for its end.")]


@parked.command("list")
def parked_list(
    *, service: Annotated[str, typer.Option(help="Only this service.")] = "", as_json: AsJson = False
) -> None:
    """Show what is parked and why."""
    if service and service not in SERVICES:
        raise WrongUse(f"--service: there is no service {service}; one of {', '.join(SERVICES)}.")
    with calling() as calls:
        found: list[dict[str, Any]] = []
        for name in [service] if service else SERVICES:
            listed = calls.call(name, "GET", "/internal/parked", internal=True)
            found += [{"service": name, **one} for one in listed["parked"]]
    if as_json:
        show_document({"parked": found})
        return
    rows = [[one["service"], one["id"], one["event_type"], one["reason"], one["detail"][:60]] for one in found]
    show_table(f"{len(found)} parked", ["service", "id", "event", "reason", "detail"], rows)


@parked.command("show")
def parked_show(parked_id: str, *, as_json: AsJson = False) -> None:
    """Show one parked event whole: its place, its reason, its headers and the start of its payload."""
    with calling() as calls:
        service, found = _parked_event(calls, parked_id)
    if as_json:
        show_document({"service": service, **found})
        return
    show_pairs([("service", service), *((name, found[name]) for name in found if name not in {"headers", "payload"})])
    for name, value in found["headers"]:
        print(f"{name}: {value}")
    may_name_people = found["topic"] == "deliveries"
    print("(the body of a delivery may name people: --json shows it)" if may_name_people else found["payload"])


@parked.command("replay")
def parked_replay(parked_id: str, *, as_json: AsJson = False) -> None:
    """Handle a parked event again, now."""
    _settle(parked_id, "replay", None, as_json=as_json)


@parked.command("discard")
def parked_discard(
    parked_id: str,
    *,
    because: Annotated[str, typer.Option(help="The reason, kept with the event.")],
    as_json: AsJson = False,
) -> None:
    """Give a parked event up, with a reason."""
    _settle(parked_id, "discard", {"reason": because}, as_json=as_json)


@parked.command("groups")
def parked_groups(*, as_json: AsJson = False) -> None:
    """Show parked deliveries by source and reason, with the pages they came from."""
    with calling() as calls:
        told = calls.call("ingest", "GET", "/internal/parked-groups", internal=True)
    if as_json:
        show_document(told)
        return
    rows = [
        [
            one["source_name"] or one["source_id"],
            one["reason"],
            one["open"],
            one["last_at"][:19],
            ", ".join(one["origins"]),
        ]
        for one in told["groups"]
    ]
    show_table(f"{len(rows)} groups", ["source", "reason", "parked", "last", "origins"], rows)


@parked.command("replay-all")
def parked_replay_all(
    *,
    source: Source = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    rate: Rate = 50,
    no_wait: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Handle many parked deliveries again: a group, a time range, or both."""
    many("replay", selection(source, reason, since, until), rate=rate, because="", wait=not no_wait, as_json=as_json)


@parked.command("discard-all")
def parked_discard_all(
    *,
    because: Annotated[str, typer.Option(help="The reason, kept with each of them.")],
    source: Source = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    rate: Rate = 500,
    no_wait: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Give many parked deliveries up, with one reason."""
    chosen = selection(source, reason, since, until)
    many("discard", chosen, rate=rate, because=because, wait=not no_wait, as_json=as_json)


@parked.command("jobs")
def parked_jobs(
    *,
    stop: Annotated[str, typer.Option(help="End this job where it is.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the jobs over many parked deliveries, or stop one."""
    with calling() as calls:
        if stop:
            calls.call("ingest", "POST", f"/internal/replays/{stop}/stop", internal=True)
        told = calls.call("ingest", "GET", "/internal/replays", internal=True)
    if as_json:
        show_document(told)
        return
    rows = [[one["id"], one["action"], one["state"], one["total"], one["done"], one["failed"]] for one in told["jobs"]]
    show_table(f"{len(rows)} jobs", ["job", "does", "state", "of", "done", "still parked"], rows)


def selection(source: str, reason: str, since: str, until: str) -> dict[str, str]:
    """What a job is over, as ingest's API takes it. Raises WrongUse when nothing is named."""
    chosen = {"source": source, "reason": reason, "since_at": since, "until_at": until}
    found = {name: value for name, value in chosen.items() if value}
    if not found.keys() - {"until_at"}:
        raise WrongUse("Say which: --source, --reason or --from; `baton parked groups` shows what there is.")
    for name, option in (("since_at", "--from"), ("until_at", "--to")):
        if name in found:
            found[name] = _moment(found[name], option)
    return found


def _moment(text: str, option: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUse(f"{option}: {text} is no time; write it as 2026-06-10T09:00Z.") from error
    if moment.tzinfo is None:
        raise WrongUse(f"{option}: say the zone, as {text}Z.")
    return moment.isoformat()


def many(action: str, chosen: dict[str, str], *, rate: int, because: str, wait: bool, as_json: bool) -> None:
    """Begin a job and follow it. Raises DoneInPart when some could not be dealt with."""
    from deploy.cli.sources import source_named  # noqa: PLC0415 - only this needs it

    body: dict[str, Any] = {**chosen, "action": action, "rate_per_second": rate}
    with calling() as calls, Progress(action) as progress:
        if "source" in body:
            body["source_id"] = source_named(calls, body.pop("source"))["id"]
        if because:
            body["because"] = because
        job = calls.call("ingest", "POST", "/internal/replays", internal=True, body=body)
        pause = Event()
        while wait and job["state"] == "running":
            dealt = job["done"] + job["failed"]
            progress.show(dealt / max(job["total"], 1), f"{dealt} of {job['total']}")
            pause.wait(_LOOK_SECONDS)
            job = calls.call("ingest", "GET", f"/internal/replays/{job['id']}", internal=True)
    if as_json:
        show_document(job)
    else:
        show_pairs([("job", job["id"]), ("state", job["state"]), ("of", job["total"]), ("done", job["done"])])
    if job["failed"]:
        raise DoneInPart(
            f"{job['failed']} are still parked; the last one because: {job['last_error']}\n"
            "  Mend its source (`baton source set`), then replay them again."
        )


def _settle(parked_id: str, what: str, body: object, *, as_json: bool) -> None:
    with calling() as calls:
        service, _ = _parked_event(calls, parked_id)
        calls.call(service, "POST", f"/internal/parked/{parked_id}/{what}", internal=True, body=body)
    done = "replayed" if what == "replay" else "discarded"
    if as_json:
        show_document({"id": parked_id, "service": service, "state": done})
    else:
        print(f"{parked_id} of {service}: {done}.")


def _parked_event(calls: Any, parked_id: str) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 - imported late
    """The service that parked this event, and the event, open or settled. Raises NeedsMissing when none has it."""
    from deploy.local.operator import CallError  # noqa: PLC0415 - as in deploy/cli/calls.py

    for service in SERVICES:
        try:
            return service, calls.call(service, "GET", f"/internal/parked/{parked_id}", internal=True)
        except CallError as error:
            if error.status not in {_NOT_FOUND, _NO_ID}:
                raise
    raise NeedsMissing(f"No service has a parked event {parked_id}: `baton parked list` shows the open ones.")
