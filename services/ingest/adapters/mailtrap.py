"""Mailtrap webhooks of sent mail: batches of events under `events`.

Source: Mailtrap's public documentation of webhooks. The address is the secret; when the source has one as well (the
webhook's signing secret, or Basic credentials), the `Mailtrap-Signature` header (hex HMAC-SHA256 of the body) or the
credentials must fit. A soft bounce is tried again by Mailtrap and is status.
"""

from collections.abc import Mapping, Sequence

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain.fields import mapping_of, text_of, unix_moment
from services.ingest.domain.mail import (
    MailEvent,
    first_text,
    mail_observation,
    parsed_events,
    raw_events,
    tags_of,
)
from services.ingest.domain.observation import Observation, Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, is_hex_signed, shows_secret

SENDER: str = "mailtrap"
TITLE: str = "Mailtrap"
SETUP: tuple[str, ...] = (
    "In Mailtrap: Settings, Webhooks, Create new webhook, Email sending.",
    "Paste {url} as URL, choose JSON as payload format, and choose the events.",
    "Better with the signing secret that Mailtrap then shows: give it to Baton as secret.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "delivery": "email_delivered",
    "open": "email_open",
    "click": "email_click",
    "spam": "email_spam",
    "unsubscribe": "email_unsubscribe",
    "bounce": "email_bounce",
}
STATUSES: tuple[str, ...] = ("soft bounce", "suspension", "reject")


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """The `Mailtrap-Signature` of the body, or Basic credentials or a bearer token."""
    signature = request.headers.get("mailtrap-signature", "")
    return is_hex_signed(request.body, signature, secret=secret) or shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """Number of events."""
    return Outline(len(raw_events(request.body, inside="events")))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per event."""
    return parsed_events(raw_events(request.body, inside="events"), _read)


def _read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation] | Refusal:
    name = text_of(event.get("event"))
    if name is None:
        return Refusal(index, "unknown_type", detail="event names no kind.")
    mail = MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=text_of(event.get("event_id")),
        recipient=text_of(event.get("email")),
        timestamp=unix_moment(event.get("timestamp")),
        message=text_of(event.get("message_id")),
        link=text_of(event.get("url")),
        user_agent=text_of(event.get("user_agent")),
        reason=first_text(event.get("response"), event.get("reason")),
        is_hard=True,
        tags=tags_of(event.get("category")),
        metadata=mapping_of(event.get("custom_variables")),
    )
    return (mail_observation(mail, raw=raw, index=index),)
