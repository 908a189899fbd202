"""`baton erase|export|consent-default`: what a person may ask of us (GDPR articles 15, 17, 20), and what silence means.

Erasing prints ids alone; a name that was asked for is never printed again.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.calls import calling
from deploy.cli.exits import WrongUse
from deploy.cli.output import AsJson, say, show_document, show_pairs

__all__ = ["consent_default", "erase", "export", "person_of"]

_EXPORT_SECONDS = 60.0  # three other services are asked, each with its own deadline

Email = Annotated[str, typer.Option("--email", help="The person's address.")]
UserId = Annotated[str, typer.Option("--user-id", help="The id by which your own product knows the person.")]
Phone = Annotated[str, typer.Option("--phone", help="With country code, as +4930123456.")]
AnonymousId = Annotated[str, typer.Option("--anonymous-id", help="The id of a browser or device.")]
External = Annotated[str, typer.Option("--external", help="SYSTEM:ID, as crm:003xx.")]
LeadId = Annotated[str, typer.Option("--lead-id", help="Our own id, as the console shows it.")]


def erase(
    *,
    email: Email = "",
    user_id: UserId = "",
    phone: Phone = "",
    anonymous_id: AnonymousId = "",
    external: External = "",
    lead_id: LeadId = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: it is meant.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase one person for good, by any identifier.

    Names and texts go now, everywhere else within the hour; the person stays out.

    Exit codes: 0 erased or nothing to do, 2 nobody named, 3 refused, 4 no stack is running, 130 not confirmed.
    """
    asked = person_of(
        email=email, user_id=user_id, phone=phone, anonymous_id=anonymous_id, external=external, lead_id=lead_id
    )
    if not yes:
        _confirm(asked)
    with calling() as calls:
        made = calls.call("ingest", "POST", "/v1/erasures", body=asked)
    if as_json:
        show_document(made)
    elif not made["lead_ids"]:
        print("Nothing to do: nobody is kept under this. Whoever comes with it from now on stays out.")
    else:
        show_pairs([("erasure", made["id"]), *(("erased lead", one) for one in made["lead_ids"])])


def export(
    *,
    email: Email = "",
    user_id: UserId = "",
    phone: Phone = "",
    anonymous_id: AnonymousId = "",
    external: External = "",
    lead_id: LeadId = "",
    out: Annotated[Path | None, typer.Option(help="Write it here, readable by you alone; else to stdout.")] = None,
) -> None:
    """All that is kept of one person, as one JSON document.

    Exit codes: 0 done, 2 nobody named or the file is there already, 3 nobody is kept under this, 4 no stack is running.
    """
    asked = person_of(
        email=email, user_id=user_id, phone=phone, anonymous_id=anonymous_id, external=external, lead_id=lead_id
    )
    if out is not None and out.exists():
        raise WrongUse(f"{out} is there already: name another file.")
    with calling() as calls:
        made = calls.call("ingest", "POST", "/v1/exports", body=asked)
        document = calls.call("ingest", "GET", f"/v1/exports/{made['id']}", timeout_seconds=_EXPORT_SECONDS)
    if out is None:
        show_document(document)
        return
    out.touch(mode=0o600, exist_ok=False)
    out.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    say(f"  Written to {out}: {len(document['activities'])} activities, {len(document['handoffs'])} handoffs.")


def consent_default(
    answer: Annotated[str, typer.Argument(help="scored or not-scored; without it, what holds now.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """What it means that no consent is recorded.

    scored (where the law allows it), or not-scored.
    """
    if answer not in {"", "scored", "not-scored"}:
        raise WrongUse("Answer scored or not-scored.")
    with calling() as calls:
        known = calls.call("ingest", "GET", "/v1/consent-default")
        if answer:
            body, headers = {"is_allowed": answer == "scored"}, {"if-match": f'"{known["version"]}"'}
            known = calls.call("ingest", "PUT", "/v1/consent-default", body=body, headers=headers)
    if as_json:
        show_document(known)
        return
    held = "scored" if known["is_allowed"] else "not scored"
    print(f"Unknown consent: {held}{'' if known['is_answered'] else ' until somebody answers this question'}.")


def person_of(
    *, email: str, user_id: str, phone: str, anonymous_id: str, external: str, lead_id: str
) -> dict[str, Any]:
    """Who is meant, as the routes ask for it. Raises WrongUse when nobody is named or an id lacks its system."""
    named = {"email": email, "user_id": user_id, "phone": phone, "anonymous_id": anonymous_id, "lead_id": lead_id}
    asked: dict[str, Any] = {name: value for name, value in named.items() if value}
    if external:
        system, _, found = external.partition(":")
        if not (system and found):
            raise WrongUse("--external is SYSTEM:ID, as crm:003xx.")
        asked["external"] = {"system": system, "id": found}
    if not asked:
        raise WrongUse("Say who, as --email kim@example.org; --help lists every identifier.")
    return asked


def _confirm(asked: dict[str, Any]) -> None:
    """Ask once; raises WrongUse where nobody can answer, typer.Abort on a no."""
    if not sys.stdin.isatty():
        raise WrongUse("This cannot be undone, and nobody is here to be asked. Repeat with --yes.")
    typer.confirm(f"Erase whoever has this {', '.join(asked)}? It cannot be undone.", abort=True, err=True)
