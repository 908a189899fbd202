"""Zoom webhooks: who registered for a webinar and who came.

Source: Zoom's public documentation of webhooks. Zoom checks the address when it is set and every 72 hours: it sends a
signed token and wants it back with its keyed hash.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, mapping_of, moment_of, text_of, unix_millis_moment
from services.ingest.domain.forms import company_in, name_from, traits_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_fresh, is_hex_signed, keyed_hex

SENDER: str = "zoom"
TITLE: str = "Zoom Webinars"
SETUP: tuple[str, ...] = (
    "In the Zoom App Marketplace: Develop, Build App (webhook only, or Server-to-Server), Access, Event subscription.",
    "First give Baton the Secret Token shown there, then paste {url} as endpoint URL and press Validate.",
    "Add the events webinar.registration_created and webinar.participant_joined.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "webinar.registration_created": "webinar_registered",
    "webinar.participant_joined": "webinar_attended",
}
STATUSES: tuple[str, ...] = ("webinar.participant_left", "webinar.started", "webinar.ended", "endpoint.url_validation")
IS_HANDSHAKE_SIGNED: Final = True
_SIGNATURE, _TIMESTAMP = "x-zm-signature", "x-zm-request-timestamp"
_VALIDATION: Final = "endpoint.url_validation"
_START: Final = "v0="
_TOKEN_CHARACTERS_MAX: Final = 256  # we never key a hash over what a stranger makes long


def hint(request: InboundRequest) -> str | None:
    """The address of the one person."""
    try:
        return text_of(_someone(_event(request)).get("email"))
    except Unreadable:
        return None


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:
    """The token with its hash, by the secret that signed the question; an unsigned or other request is none."""
    if request.method != "POST" or _VALIDATION.encode() not in request.body:
        return None
    try:
        event = _event(request)
    except Unreadable:
        return None
    token = text_of(mapping_of(event.get("payload")).get("plainToken"))
    secret = next((one for one in secrets if _is_signed(request, one)), None)
    if event.get("event") != _VALIDATION or not token or len(token) > _TOKEN_CHARACTERS_MAX or secret is None:
        return None
    answer = {"plainToken": token, "encryptedToken": keyed_hex(token.encode(errors="replace"), secret=secret)}
    return Reply(200, json.dumps(answer).encode(), "application/json")


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """`v0=` and the hex HMAC-SHA256 of `v0:`, time, colon and body."""
    return _is_signed(request, secret) and is_fresh(request.headers.get(_TIMESTAMP, ""), now)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    _event(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One event."""
    event = _event(request)
    name = text_of(event.get("event"))
    kind = KINDS.get(name or "")
    webinar = mapping_of(mapping_of(event.get("payload")).get("object"))
    someone = _someone(event)
    asked = _asked(someone)
    found = Observation(
        operation=Operation.STATUS if kind is None else Operation.ACTIVITY,
        event_id=_event_id(event, webinar, someone),
        kind=kind,
        name=name,
        person=Person(email=text_of(someone.get("email")), phone=text_of(someone.get("phone"))),
        timestamp=moment_of(someone.get("join_time")) or unix_millis_moment(event.get("event_ts")),
        traits={**traits_in({**asked, **someone}), **_name(someone)},
        company=company_in({**asked, **someone}),
        touch=Touch(asset=text_of(webinar.get("topic"))),
        texts=Texts(text=text_of(someone.get("comments")), answers=asked),
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((found,))


def _event(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _is_signed(request: InboundRequest, secret: str) -> bool:
    timestamp, given = request.headers.get(_TIMESTAMP, ""), request.headers.get(_SIGNATURE, "")
    signed = f"v0:{timestamp}:".encode(errors="replace") + request.body
    return given.startswith(_START) and is_hex_signed(signed, given.removeprefix(_START), secret=secret)


def _someone(event: Mapping[str, object]) -> Mapping[str, object]:
    """Who registered or came."""
    webinar = mapping_of(mapping_of(event.get("payload")).get("object"))
    return mapping_of(webinar.get("registrant")) or mapping_of(webinar.get("participant"))


def _event_id(event: Mapping[str, object], webinar: Mapping[str, object], someone: Mapping[str, object]) -> str | None:
    """Event, webinar, person and the event's own milliseconds: who comes back after a break came twice."""
    person = next(
        (text for name in ("id", "registrant_id", "user_id", "email") if (text := text_of(someone.get(name)))), ""
    )
    parts = text_of(event.get("event")), text_of(webinar.get("id")), person, text_of(event.get("event_ts"))
    return "\x1f".join(part or "" for part in parts) if all(parts) else None


def _asked(someone: Mapping[str, object]) -> dict[str, object]:
    questions = someone.get("custom_questions")
    rows = [mapping_of(one) for one in questions] if isinstance(questions, list) else []
    return {title: row["value"] for row in rows if (title := text_of(row.get("title"))) and row.get("value")}


def _name(someone: Mapping[str, object]) -> dict[str, str]:
    name = name_from(someone.get("first_name"), someone.get("last_name")) or text_of(someone.get("user_name"))
    return {"name": name} if name else {}
