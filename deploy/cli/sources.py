"""`baton source`: where deliveries come from: what can be connected, making a source, and how each stands.

A key is shown once, by the command that made it: Baton itself keeps only its hash. What can be connected, and how, is
asked of the service.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.calls import calling
from deploy.cli.exits import NeedsMissing, WrongUse
from deploy.cli.output import AsJson, show_document, show_pairs, show_table

if TYPE_CHECKING:
    from deploy.local.operator import OperatorCalls

__all__ = [
    "Named",
    "Options",
    "Origins",
    "SecretFile",
    "Zone",
    "content",
    "pairs",
    "said_of",
    "source",
    "source_named",
]

source = typer.Typer(no_args_is_help=True, help="Where deliveries come from: addresses, keys, settings.")
Named = Annotated[str, typer.Argument(help="The source's name or id, as `baton source list` shows them.")]
Origins = Annotated[list[str] | None, typer.Option("--origin", help="A web origin that may use the browser key.")]
Options = Annotated[list[str] | None, typer.Option("--option", help="What this sender alone needs, as topic=VALUE.")]
Zone = Annotated[str, typer.Option(help="Zone of times that name none, as Europe/Berlin.")]
SecretFile = Annotated[
    Path | None, typer.Option(help="File with the signing secret or public key of a sender that signs.")
]
_FIRST_EVENT = """\
Send a first event:
  curl -u {key}: {url}/track -H 'content-type: application/json' \\
       -d '{{"userId": "u1", "event": "Demo Requested", "messageId": "m1", \
"context": {{"traits": {{"email": "kim@acme.example"}}}}}}'"""


@source.command("senders")
def source_senders(*, as_json: AsJson = False) -> None:
    """Show what can be connected, and how each proves itself."""
    with calling() as calls:
        told = calls.call("ingest", "GET", "/v1/senders")
    if as_json:
        show_document(told)
        return
    rows = [[one["sender"], one["title"], one["proof"].replace("_", " ")] for one in told["senders"]]
    show_table(f"{len(rows)} senders", ["--sender", "is", "proves itself by"], rows)


@source.command("create")
def source_create(
    name: str,
    *,
    sender: Annotated[str, typer.Option(help="As `baton source senders` lists them.")] = "segment",
    browser: Annotated[bool, typer.Option("--browser", help="Make a key for pages too; it may do less.")] = False,
    origin: Origins = None,
    has_consent: Annotated[
        bool,
        typer.Option("--consent-granted", help="Its people have agreed to be scored and called; else unknown."),
    ] = False,
    time_zone: Zone = "",
    option: Options = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a source; its address, its key (only now) and what to do at the sender are shown."""
    settings: dict[str, Any] = {"origins": origin or [], "consent": "granted" if has_consent else "unknown"}
    settings |= {"time_zone": time_zone} if time_zone else {}
    settings |= {"options": pairs(option, "--option")} if option else {}
    body: dict[str, Any] = {
        "name": name,
        "sender": sender,
        "keys": ["server_key", *(["browser_key"] if browser else [])],
        "settings": settings,
    }
    if secret_file is not None:
        body["secret"] = content(secret_file)
    with calling() as calls:
        made = calls.call("ingest", "POST", "/v1/sources", body=body)
        setup = _setup(calls, sender)
    if as_json:
        show_document(made)
        return
    keys = [(f"{key['kind'].replace('_', ' ')} (shown once)", key["key"]) for key in made["keys"] if "key" in key]
    show_pairs([("source", made["name"]), ("sender", made["sender"]), ("address", made["url"]), *keys])
    _show_setup(setup, made["url"], keys[0][1] if keys else "the key")
    if sender == "segment" and keys:
        print("\n" + _FIRST_EVENT.format(key=keys[0][1], url=made["url"]))


@source.command("list")
def source_list(*, as_json: AsJson = False) -> None:
    """Show the sources: where each delivers, how its keys begin, and what came within a day."""
    with calling() as calls:
        listed = calls.call("ingest", "GET", "/v1/sources")
    if as_json:
        show_document(listed)
        return
    rows = []
    for one in listed["sources"]:
        stands = one["standing"]
        keys = ", ".join(f"{key['shown_prefix']}…" for key in one["keys"] if key["shown_prefix"])
        last = (stands["last_received_at"] or "never")[:19]
        rows.append([one["name"], one["sender"], one["url"], keys, last, stands["refused"], stands["parked"]])
    show_table(
        f"{len(rows)} sources", ["source", "sender", "address", "keys", "last delivery", "refused", "parked"], rows
    )


@source.command("show")
def source_show(named: Named, *, as_json: AsJson = False) -> None:
    """Show one source: settings, keys, the last day by hour, refused events with reasons, what is parked."""
    with calling() as calls:
        one = source_named(calls, named)
        standing = calls.call("ingest", "GET", f"/v1/sources/{one['id']}/standing")
        setup = _setup(calls, one["sender"])
    if as_json:
        show_document({**one, "standing": {**one["standing"], **standing}})
        return
    show_pairs([(name, one[name]) for name in ("id", "name", "sender", "url")])
    show_pairs([(name.replace("_", " "), said_of(value)) for name, value in one["settings"].items() if value])
    rows = [[key["kind"], key["id"], key["shown_prefix"], key["valid_until"] or "until revoked"] for key in one["keys"]]
    show_table("Keys", ["kind", "id", "begins", "valid until"], rows)
    hours = [[hour["hour"][:16], hour["deliveries"], hour["events"], hour["refused"]] for hour in standing["hours"]]
    show_table("The last day by hour", ["hour", "deliveries", "events", "refused"], hours)
    show_table(
        "Refused within a week",
        ["reason", "events", "last", "for example"],
        [
            [one["reason"], one["refused"], one["last_at"][:19], one["samples"][0]["detail"]]
            for one in standing["refusals"]
        ],
    )
    show_table("Parked", ["reason", "deliveries"], [[one["reason"], one["open"]] for one in standing["parked"]])
    _show_setup(setup, one["url"], "its key")


def source_named(calls: "OperatorCalls", named: str) -> Any:  # noqa: ANN401 - JSON of a service
    """The one source of this name or id. Raises NeedsMissing for none, WrongUse for several of that name."""
    listed = calls.call("ingest", "GET", "/v1/sources")["sources"]
    found = [one for one in listed if named in {one["id"], one["name"]}]
    if not found:
        raise NeedsMissing(
            f"There is no source {named}: `baton source list` shows them, `baton source create` makes one."
        )
    if len(found) > 1:
        raise WrongUse(
            f"{len(found)} sources are called {named}; give the id: {', '.join(one['id'] for one in found)}."
        )
    return found[0]


def _setup(calls: "OperatorCalls", sender: str) -> Sequence[str]:
    """The steps at a sender; none for our own files."""
    known = calls.call("ingest", "GET", "/v1/senders")["senders"]
    return next((one["setup"] for one in known if one["sender"] == sender), [])


def _show_setup(steps: Sequence[str], url: str, key: str) -> None:
    for number, step in enumerate(steps, start=1):
        print(f"{'' if number > 1 else chr(10)}  {number}. {step.replace('{url}', url).replace('{key}', key)}")


def said_of(value: object) -> str:
    """A setting as one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """Options of the form NAME=VALUE. Raises WrongUse."""
    parts = [text.partition("=") for text in texts or ()]
    if any(not name.strip() or not sign for name, sign, _ in parts):
        raise WrongUse(f"{option} is written NAME=VALUE.")
    return {name.strip(): value.strip() for name, _, value in parts}


def content(file: Path) -> str:
    """The text of a file with a secret. Raises NeedsMissing."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NeedsMissing(f"--secret-file: {file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise NeedsMissing(f"--secret-file: {file} is no text; give the secret or the PEM file of the key.") from error
