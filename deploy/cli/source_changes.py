"""`baton source set|rotate|revoke|test|delete`: what changes a source after it was made."""

import json
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer

from deploy.cli.calls import calling
from deploy.cli.exits import Failed, NeedsMissing, WrongUse
from deploy.cli.output import AsJson, say, show_document, show_pairs
from deploy.cli.sources import (
    Named,
    Options,
    Origins,
    SecretFile,
    Zone,
    content,
    pairs,
    said_of,
    source,
    source_named,
)
from shared.clock import monotonic

__all__ = ["source"]

_LOOK_SECONDS = 0.5


@source.command("set")
def source_set(
    named: Named,
    *,
    name: Annotated[str, typer.Option(help="A new name.")] = "",
    origin: Origins = None,
    add_origin: Annotated[list[str] | None, typer.Option(help="One more web origin, beside those it has.")] = None,
    consent: Annotated[str, typer.Option(help="granted or unknown: what it states for everybody it sends.")] = "",
    time_zone: Zone = "",
    option: Options = None,
    event: Annotated[
        list[str] | None, typer.Option(help="Name of a tracked event to kind, as 'Got quote=form_submit'.")
    ] = None,
    page: Annotated[list[str] | None, typer.Option(help="Path pattern to content, as '/prices*=pricing'.")] = None,
    mapping_file: Annotated[
        Path | None, typer.Option(help="JSON file: our field to JSON path, of a generic sender.")
    ] = None,
    rate: Annotated[int, typer.Option(help="Requests a second it may make.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Change what is named and leave the rest; what is given more than once replaces its list."""
    change: dict[str, Any] = {}
    change |= {"origins": list(origin)} if origin else {}
    change |= {"consent": consent} if consent else {}
    change |= {"time_zone": time_zone} if time_zone else {}
    change |= {"options": pairs(option, "--option")} if option else {}
    change |= {"names": pairs(event, "--event")} if event else {}
    change |= (
        {"pages": [{"path": path, "content": worth} for path, worth in pairs(page, "--page").items()]} if page else {}
    )
    change |= {"mapping": _document(mapping_file)} if mapping_file else {}
    change |= {"rate_per_second": rate} if rate else {}
    if not (change or name or add_origin):
        raise WrongUse("Say what changes, as --origin, --time-zone or --name; --help lists all.")
    with calling() as calls:
        one = source_named(calls, named)
        if add_origin:
            change["origins"] = list(
                dict.fromkeys([*change.get("origins", one["settings"].get("origins", [])), *add_origin])
            )
        body = {**({"name": name} if name else {}), **({"settings": change} if change else {})}
        changed = calls.call(
            "ingest", "PATCH", f"/v1/sources/{one['id']}", body=body, headers={"if-match": f'"{one["version"]}"'}
        )
    if as_json:
        show_document(changed)
    else:
        show_pairs(
            [
                ("source", changed["name"]),
                *((part, said_of(value)) for part, value in changed["settings"].items() if value),
            ]
        )
        if changed.get("notice"):
            say(f"  {changed['notice']}")


@source.command("rotate")
def source_rotate(
    named: Named,
    *,
    kind: Annotated[str, typer.Option(help="server_key, browser_key or secret; else the kind it has.")] = "",
    secret_file: SecretFile = None,
    overlap_hours: Annotated[int, typer.Option(help="How long the old one still works; 0 ends it now.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Make a new key beside the old one; both work until the overlap ends."""
    with calling() as calls:
        one = source_named(calls, named)
        kinds = {key["kind"] for key in one["keys"]}
        wanted = kind or ("secret" if kinds <= {"secret"} else "server_key")
        body: dict[str, Any] = {"kind": wanted, "overlap_hours": overlap_hours}
        if secret_file is not None:
            body["secret"] = content(secret_file)
        made = calls.call("ingest", "POST", f"/v1/sources/{one['id']}/rotate", body=body)
    if as_json:
        show_document(made)
        return
    shown = [(f"{made['kind'].replace('_', ' ')} (shown once)", made["key"])] if "key" in made else []
    show_pairs([("source", one["name"]), ("key", made["id"]), *shown])
    say("  The old one has ended." if overlap_hours == 0 else f"  The old one works for {overlap_hours} hours more.")


@source.command("revoke")
def source_revoke(
    named: Named,
    key: Annotated[str, typer.Argument(help="The key's id or how it begins, as `baton source show` lists them.")],
    *,
    as_json: AsJson = False,
) -> None:
    """End one key at once; every door knows it within 10 seconds."""
    with calling() as calls:
        one = source_named(calls, named)
        found = [
            held
            for held in one["keys"]
            if held["id"] == key or (held["shown_prefix"] and key.startswith(held["shown_prefix"]))
        ]
        if len(found) != 1:
            raise NeedsMissing(
                f"{one['name']} has {len(found) or 'no'} such key: give the id that `baton source show` lists."
            )
        ended = calls.call("ingest", "POST", f"/v1/sources/{one['id']}/keys/{found[0]['id']}/revoke")
    if as_json:
        show_document(ended)
    else:
        print(f"{found[0]['kind'].replace('_', ' ')} {found[0]['shown_prefix']} of {one['name']} has ended.")


@source.command("test")
def source_test(
    named: Named,
    *,
    seconds: Annotated[int, typer.Option(help="How long to wait for the next delivery.")] = 120,
    as_json: AsJson = False,
) -> None:
    """Wait for the next delivery of a source: press the sender's test button meanwhile."""
    with calling() as calls:
        one = source_named(calls, named)
        before = calls.call("ingest", "POST", f"/v1/sources/{one['id']}/test")
        say(f"  Waiting for a delivery to {one['url']}; press the sender's test button now.")
        pause, until = Event(), monotonic() + seconds
        while True:
            now = calls.call("ingest", "GET", f"/v1/sources/{one['id']}")["standing"]
            if (now["last_received_at"], now["parked"]) != (
                before["received_at"],
                before["parked"],
            ) or monotonic() > until:
                break
            pause.wait(_LOOK_SECONDS)
    if now["parked"] > before["parked"]:
        raise Failed(
            f"Test received, but set aside: `baton parked groups` says why, `baton source set {named}` mends it."
        )
    if now["last_received_at"] == before["received_at"]:
        raise Failed(
            f"Nothing came within {seconds} s. Check address and key at the sender: wrong ones are answered 401."
        )
    if as_json:
        show_document({"id": one["id"], "received_at": now["last_received_at"]})
    else:
        print(f"Test received at {now['last_received_at']}.")


@source.command("delete")
def source_delete(
    named: Named,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="It is meant: its keys end now, for good.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a source: its keys stop working, its sender is told to stop for 30 days."""
    if not yes:
        raise WrongUse(f"{named} would end for good, and what its sender still sends is lost. Repeat with --yes.")
    with calling() as calls:
        one = source_named(calls, named)
        calls.call("ingest", "DELETE", f"/v1/sources/{one['id']}", headers={"if-match": f'"{one["version"]}"'})
    if as_json:
        show_document({"id": one["id"], "deleted": True})
    else:
        print(f"{one['name']} has ended; its webhook answers 410 for 30 days, so that its sender stops.")


def _document(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(content(file))
    except ValueError as error:
        raise WrongUse(f"{file} is no JSON ({error}).") from error
    if not isinstance(found, dict):
        raise WrongUse(f'{file} must hold one JSON object, as {{"email": "$.person.mail"}}.')
    return found
