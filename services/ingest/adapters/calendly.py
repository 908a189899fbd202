"""Calendly webhooks: meetings booked, cancelled and missed, and routing forms.

Source: Calendly's public documentation of webhook subscriptions and signatures. A booked meeting is one that somebody
asked for; whether it was held, the calendar or the CRM says later.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, mapping_of, moment_of, text_of
from services.ingest.domain.forms import company_in, message_in, name_from, person_in, touch_in, traits_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Texts
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_dated_signed

SENDER: str = "calendly"
TITLE: str = "Calendly"
SETUP: tuple[str, ...] = (
    "Create a webhook subscription by Calendly's API (POST /webhook_subscriptions) with {url} as url.",
    "Events: invitee.created, invitee.canceled, invitee_no_show.created, routing_form_submission.created.",
    "Set a signing_key of your own there, and give Baton the same signing_key.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "invitee.created": "meeting_requested",
    "routing_form_submission.created": "form_submit",
    "invitee.canceled": "custom",
    "invitee_no_show.created": "custom",
}
STATUSES: tuple[str, ...] = (
    "invitee_no_show.deleted",
    "event_type.created",
    "event_type.updated",
    "event_type.deleted",
)
TOLERANCE_SECONDS: Final = 180  # Calendly's own sample is stricter than others
_SIGNATURE: Final = "calendly-webhook-signature"


def hint(request: InboundRequest) -> str | None:
    """The invitee's address."""
    try:
        return text_of(mapping_of(_event(request).get("payload")).get("email"))
    except Unreadable:
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """`t=…,v1=…`: hex HMAC-SHA256 of time, dot and body, 180 s either way."""
    given = request.headers.get(_SIGNATURE, "")
    return is_dated_signed(request.body, given, secret=secret, now=now, tolerance_seconds=TOLERANCE_SECONDS)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    _event(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One event."""
    event = _event(request)
    name = text_of(event.get("event"))
    kind = KINDS.get(name or "")
    payload = mapping_of(event.get("payload"))
    answers = _answers(payload)
    person = _person(payload, answers)
    meeting = text_of(mapping_of(payload.get("scheduled_event")).get("name"))
    found = Observation(
        operation=Operation.STATUS if kind is None else Operation.ACTIVITY,
        event_id=_event_id(event, payload),
        kind=kind,
        name=name,
        person=person,
        timestamp=moment_of(event.get("created_at")) or moment_of(payload.get("created_at")),
        traits={**traits_in(answers), **_own_traits(payload)},
        company=company_in(answers),
        touch=touch_in(
            mapping_of(payload.get("tracking")), asset=meeting or text_of(payload.get("routing_form")) or None
        ),
        texts=Texts(
            text=message_in(answers) or text_of(mapping_of(payload.get("cancellation")).get("reason")), answers=answers
        ),
        properties={"rescheduled": payload["rescheduled"]} if "rescheduled" in payload else {},
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((found,))


def _event(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _event_id(event: Mapping[str, object], payload: Mapping[str, object]) -> str | None:
    """The invitee's (or submission's) address there, the event and its time."""
    parts = text_of(payload.get("uri")), text_of(event.get("event")), text_of(event.get("created_at"))
    return "\x1f".join(part for part in parts if part) if all(parts) else None


def _answers(payload: Mapping[str, object]) -> dict[str, object]:
    asked = payload.get("questions_and_answers")
    rows = [mapping_of(one) for one in asked] if isinstance(asked, list) else []
    return {question: row["answer"] for row in rows if (question := text_of(row.get("question"))) and row.get("answer")}


def _person(payload: Mapping[str, object], answers: Mapping[str, object]) -> Person:
    answered = person_in(answers)
    reminded = text_of(payload.get("text_reminder_number"))
    return Person(email=text_of(payload.get("email")) or answered.email, phone=answered.phone or reminded)


def _own_traits(payload: Mapping[str, object]) -> dict[str, str]:
    name = text_of(payload.get("name")) or name_from(payload.get("first_name"), payload.get("last_name"))
    said = {"name": name, "time_zone": text_of(payload.get("timezone"))}
    return {field: value for field, value in said.items() if value}
