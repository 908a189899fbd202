"""Brevo (Sendinblue) webhooks of transactional and marketing mails.

Source: Brevo's public documentation of webhooks. Nothing is signed: the address is the secret; Basic credentials or a
bearer token are asked for when the source has them as secret. `unique_opened` comes beside the `opened` that caused it
and is the same event; `proxy_open` was made by a machine. Any 4xx but 429 would make Brevo discard the event.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import (
    mapping_of,
    number_of,
    text_of,
    unix_millis_moment,
    unix_moment,
    zoned_moment,
)
from services.ingest.domain.mail import (
    MailEvent,
    id_of_parts,
    mail_message,
    mail_observation,
    parsed_events,
    raw_events,
    tags_of,
)
from services.ingest.domain.observation import Observation, Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "brevo"
TITLE: str = "Brevo"
SETUP: tuple[str, ...] = (
    "In Brevo: Transactional (or Campaigns), Settings, Webhook, Add a new webhook.",
    "Paste {url} as URL and choose the events.",
    "Better with authentication: set Basic or a token there and give Baton `user:password` or the token as secret.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "delivered": "email_delivered",
    "opened": "email_open",
    "unique_opened": "email_open",
    "proxy_open": "email_open",
    "unique_proxy_open": "email_open",
    "click": "email_click",
    "spam": "email_spam",
    "complaint": "email_spam",
    "unsubscribe": "email_unsubscribe",
    "unsubscribed": "email_unsubscribe",
    "hard_bounce": "email_bounce",
    "invalid_email": "email_bounce",
    "soft_bounce": "email_bounce",
}
STATUSES: tuple[str, ...] = ("request", "deferred", "blocked", "error")
_HARD: Final = frozenset({"hard_bounce", "invalid_email"})
_SECONDS_MAX: Final = 100_000_000_000  # below it a time is in seconds, whatever its field is called


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Basic credentials or a bearer token."""
    return shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """One event, or a batch of them."""
    return Outline(len(raw_events(request.body)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """One observation per event."""

    def read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation] | Refusal:
        name = text_of(event.get("event"))
        if name is None:
            return Refusal(index, "unknown_type", detail="event names no kind.")
        alike = raw.replace(b'"unique_', b'"')  # a twin is no other event under the same id
        return (mail_observation(_event(event, name, settings.time_zone), raw=alike, index=index),)

    return parsed_events(raw_events(request.body), read)


def _event(event: Mapping[str, object], name: str, zone: str | None) -> MailEvent:
    email, link, at = text_of(event.get("email")), text_of(event.get("link")), _moment(event, zone)
    message, said_at = mail_message(event.get("message-id")), event.get("ts_epoch") or event.get("date")
    return MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=id_of_parts(message, name.removeprefix("unique_"), said_at, email, link),
        recipient=email,
        timestamp=at,
        message=message,
        subject=text_of(event.get("subject")),
        link=link,
        user_agent=text_of(event.get("user_agent")),
        reason=text_of(event.get("reason")),
        is_hard=name in _HARD,
        machine_reason="proxy_open" if name.endswith("proxy_open") else None,
        campaign=text_of(event.get("campaign name")),
        tags=tags_of(event.get("tags")) or tags_of(event.get("tag")),
        metadata=_custom(event.get("X-Mailin-custom")),
    )


def _moment(event: Mapping[str, object], zone: str | None) -> datetime | None:
    """The epoch in milliseconds first: the other fields follow the zone of the account."""
    epoch = number_of(event.get("ts_epoch")) or 0
    found = unix_millis_moment(epoch) if epoch >= _SECONDS_MAX else unix_moment(epoch)
    return found or zoned_moment(event.get("date"), zone) or unix_moment(event.get("ts_event"))


def _custom(value: object) -> Mapping[str, object]:
    try:
        return mapping_of(bodies.read_json((text_of(value) or "{}").encode(errors="replace")))
    except Unreadable:
        return {}
