"""Eventbrite webhooks: tickets ordered and people checked in; what happened is fetched from Eventbrite's API.

Source: Eventbrite's public documentation of webhooks (not verified against the vendor). A delivery holds an address of
the API and no signature: only our own address is secret. So the address is fetched only when it begins with the base of
the source (option `api_url`), whatever else the body says. Online events are webinars.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fetching import answered, api_base
from services.ingest.domain.fields import fingerprint_of, mapping_of, moment_of, text_of
from services.ingest.domain.forms import message_in, name_from, traits_in
from services.ingest.domain.observation import (
    Company,
    Fetch,
    Observation,
    Operation,
    Parsed,
    Person,
    Refusal,
    Texts,
    Touch,
)
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "eventbrite"
TITLE: str = "Eventbrite"
SETUP: tuple[str, ...] = (
    "In Eventbrite: Account Settings, Developer Links, Webhooks, Create New Webhook; paste {url} as Payload URL.",
    "Choose the actions order.placed and barcode.checked_in.",
    "Give Baton a private token (Developer Links, API Keys) as API token: orders and attendees are fetched with it.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "order.placed": "field_event_registered",
    "order.placed online": "webinar_registered",
    "barcode.checked_in": "field_event_attended",
}
STATUSES: tuple[str, ...] = ("test", "order.updated", "order.refunded", "attendee.updated")
API_URL: Final = "https://www.eventbriteapi.com"
_FETCHED: Final[Mapping[str, str]] = {"order.placed": "event,attendees", "barcode.checked_in": "event"}
"""Actions that are fetched, and what is asked along."""
_PATH: Final = re.compile(r"/v3/[a-z]{1,32}/[0-9]{1,32}/(?:[a-z]{1,32}/[0-9]{1,32}/)?", re.ASCII)


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """A secret of our own that the address carries (`https://user:password@…`), for a source that was given one."""
    return shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """One action; of an answer as many as it has people."""
    event = bodies.read_event(bodies.utf8(request.body))
    action = answered(request.path)
    return Outline(1 if action is None else len(_people(event, action)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """What to fetch; or the people of what was fetched."""
    event = bodies.read_event(bodies.utf8(request.body))
    action = answered(request.path)
    if action is not None:
        return Parsed(tuple(_taking(event, action, one, index) for index, one in enumerate(_people(event, action))))
    action = text_of(mapping_of(event.get("config")).get("action"))
    if action is None or action not in _FETCHED:
        return Parsed((Observation(operation=Operation.STATUS, name=action),))
    base, url = api_base(settings, default=API_URL), text_of(event.get("api_url")) or ""
    if not url.startswith(f"{base}/") or not _PATH.fullmatch(url.removeprefix(base)):
        return Parsed((), (Refusal(0, "foreign_address", detail="api_url is no address of the configured API."),))
    return Parsed(
        (
            Observation(
                operation=Operation.FETCH,
                event_id=f"fetch\x1f{action}\x1f{url}",
                name=action,
                fetch=Fetch(action, f"{url}?expand={_FETCHED[action]}"),
                fingerprint=fingerprint_of(f"{action} {url}".encode()),
            ),
        )
    )


def _people(fetched: Mapping[str, object], action: str) -> list[Mapping[str, object]]:
    """Who takes part: the attendees of an order, or else who ordered; the one who was checked in."""
    rows = fetched.get("attendees")
    listed = [mapping_of(one) for one in rows] if action == "order.placed" and isinstance(rows, list) else []
    return listed or [fetched]


def _taking(fetched: Mapping[str, object], action: str, someone: Mapping[str, object], index: int) -> Observation:
    event = mapping_of(fetched.get("event"))
    name = f"{action} online" if action == "order.placed" and event.get("online_event") is True else action
    profile = mapping_of(someone.get("profile")) or someone
    answers = _answers(someone)
    phone = text_of(profile.get("cell_phone")) or text_of(profile.get("work_phone"))
    full_name = text_of(profile.get("name")) or name_from(profile.get("first_name"), profile.get("last_name"))
    said = {**answers, **profile, "phone": phone, "name": full_name}
    place = text_of(fetched.get("resource_uri")) or text_of(fetched.get("id"))
    own = text_of(someone.get("id"))
    company = text_of(profile.get("company"))
    return Observation(
        operation=Operation.ACTIVITY,
        event_id="\x1f".join(part for part in (action, place, own) if part) if place or own else None,
        kind=KINDS.get(name),
        name=name,
        person=Person(email=text_of(profile.get("email")) or text_of(fetched.get("email")), phone=phone),
        timestamp=moment_of(fetched.get("changed" if action == "barcode.checked_in" else "created")),
        traits=traits_in(said),
        company=replace(Company(), name=company) if company else Company(),
        touch=Touch(
            url=text_of(event.get("url")),
            traffic_source="eventbrite",
            medium="referral",
            asset=text_of(mapping_of(event.get("name")).get("text")),
        ),
        texts=Texts(text=message_in(answers), answers=answers),
        index=index,
        fingerprint=fingerprint_of(repr(sorted(someone.items())).encode(errors="replace")),
    )


def _answers(someone: Mapping[str, object]) -> dict[str, object]:
    rows = someone.get("answers")
    listed = [mapping_of(one) for one in rows] if isinstance(rows, list) else []
    return {label: row["answer"] for row in listed if (label := text_of(row.get("question"))) and row.get("answer")}
