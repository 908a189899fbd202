"""`baton source create|list`: where deliveries come from, and the write keys they prove themselves with.

A key is shown once, by the command that made it: Baton itself keeps only its hash.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.calls import calling
from deploy.cli.exits import NeedsMissing
from deploy.cli.output import AsJson, show_document, show_pairs, show_table

__all__ = ["source"]

source = typer.Typer(no_args_is_help=True, help="Where deliveries come from, and their write keys.")
_FIRST_EVENT = """\
Send a first event:
  curl -u {key}: {url}/track -H 'content-type: application/json' \\
       -d '{{"userId": "u1", "event": "Demo Requested", "messageId": "m1", \
"context": {{"traits": {{"email": "kim@acme.example"}}}}}}'"""


@source.command("create")
def source_create(
    name: str,
    *,
    sender: Annotated[str, typer.Option(help="segment, cloudevents, or a sender that signs, as sendgrid")] = "segment",
    browser: Annotated[bool, typer.Option("--browser", help="Make a key for pages too; it may do less.")] = False,
    origin: Annotated[list[str] | None, typer.Option(help="A web origin whose pages may use the browser key.")] = None,
    has_consent: Annotated[
        bool,
        typer.Option("--consent-granted", help="Its people have agreed to be scored and called; else unknown."),
    ] = False,
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the signing secret or public key of a sender that signs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a source; its address and its write key are shown, the key only now."""
    body: dict[str, Any] = {
        "name": name,
        "sender": sender,
        "keys": ["server_key", *(["browser_key"] if browser else [])],
        "settings": {"origins": origin or [], "consent": "granted" if has_consent else "unknown"},
    }
    if secret_file is not None:
        body["secret"] = _content(secret_file)
    with calling() as calls:
        made = calls.call("ingest", "POST", "/v1/sources", body=body)
    if as_json:
        show_document(made)
        return
    keys = [(f"{key['kind'].replace('_', ' ')} (shown once)", key["key"]) for key in made["keys"] if "key" in key]
    show_pairs([("source", made["name"]), ("sender", made["sender"]), ("address", made["url"]), *keys])
    if sender == "segment":
        print("\n" + _FIRST_EVENT.format(key=keys[0][1], url=made["url"]))


@source.command("list")
def source_list(*, as_json: AsJson = False) -> None:
    """Show the sources: where each delivers, and how its keys begin."""
    with calling() as calls:
        listed = calls.call("ingest", "GET", "/v1/sources")
    if as_json:
        show_document(listed)
        return
    rows = [
        [one["name"], one["sender"], one["url"], ", ".join(key["shown_prefix"] + "…" for key in one["keys"])]
        for one in listed["sources"]
    ]
    show_table(f"{len(rows)} sources", ["source", "sender", "address", "keys"], rows)


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NeedsMissing(f"--secret-file: {file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise NeedsMissing(f"--secret-file: {file} is no text; give the secret or the PEM file of the key.") from error
