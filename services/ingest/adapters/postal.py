"""Postal (the open mail server) webhooks: one event each.

Source: Postal's public documentation of webhooks. The address is the secret; Basic credentials in it are asked for when
the source has them as secret. A bounce is known by its `bounce` part, whatever the event is called.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain.fields import exact_moment, mapping_of, text_of
from services.ingest.domain.mail import (
    MailEvent,
    first_text,
    mail_address,
    mail_observation,
    parsed_events,
    raw_events,
    tags_of,
)
from services.ingest.domain.observation import Observation, Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "postal"
TITLE: str = "Postal"
SETUP: tuple[str, ...] = (
    "In Postal: your mail server, Webhooks, Add new webhook.",
    "Paste {url} as URL and choose the events.",
    "Better with Basic credentials in the address (https://user:password@…): give Baton `user:password` as secret.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "MessageSent": "email_delivered",
    "MessageLoaded": "email_open",
    "MessageLinkClicked": "email_click",
    "MessageBounced": "email_bounce",
}
STATUSES: tuple[str, ...] = ("MessageDelayed", "MessageHeld", "MessageDeliveryFailed", "DomainDNSError")
_BOUNCED: Final = "MessageBounced"


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Basic credentials of the address."""
    return shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    return Outline(len(raw_events(request.body)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """The observation of a delivery."""
    return parsed_events(raw_events(request.body), _read)


def _read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation] | Refusal:
    said = mapping_of(event.get("payload"))
    name = _BOUNCED if mapping_of(said.get("bounce")) else text_of(event.get("event"))
    if name is None:
        return Refusal(index, "unknown_type", detail="event names no kind.")
    message = mapping_of(said.get("original_message")) or mapping_of(said.get("message"))
    mail = MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=text_of(event.get("uuid")),
        recipient=mail_address(message.get("to")),
        timestamp=exact_moment(event.get("timestamp")),
        message=text_of(message.get("id")),
        subject=text_of(message.get("subject")),
        link=text_of(said.get("url")),
        user_agent=text_of(said.get("user_agent")),
        reason=first_text(said.get("details"), said.get("output")),
        is_hard=True,
        tags=tags_of(message.get("tag")),
    )
    return (mail_observation(mail, raw=raw, index=index),)
