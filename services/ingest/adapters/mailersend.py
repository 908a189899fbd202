"""MailerSend webhooks: one activity each.

Source: MailerSend's public documentation of webhooks. The address is the secret; when the source has one as well (the
signing secret of the webhook, or Basic credentials), the `Signature` header (hex HMAC-SHA256 of the body) or the
credentials must fit. `…_unique` events come beside those that caused them and are status.
"""

from collections.abc import Mapping, Sequence

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain.fields import mapping_of, moment_of, text_of
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

SENDER: str = "mailersend"
TITLE: str = "MailerSend"
SETUP: tuple[str, ...] = (
    "In MailerSend: Email, Domains, your domain, Webhooks, Create webhook.",
    "Paste {url} as Endpoint URL and choose the events.",
    "Better with the signing secret that MailerSend then shows: give it to Baton as secret.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "activity.sent": "email_sent",
    "activity.delivered": "email_delivered",
    "activity.opened": "email_open",
    "activity.clicked": "email_click",
    "activity.spam_complaint": "email_spam",
    "activity.unsubscribed": "email_unsubscribe",
    "activity.hard_bounced": "email_bounce",
    "activity.soft_bounced": "email_bounce",
}
STATUSES: tuple[str, ...] = ("activity.opened_unique", "activity.clicked_unique", "activity.deferred")


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """The `Signature` of the body, or Basic credentials or a bearer token."""
    signature = request.headers.get("signature", "")
    return is_hex_signed(request.body, signature, secret=secret) or shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    return Outline(len(raw_events(request.body)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """The observation of a delivery."""
    return parsed_events(raw_events(request.body), _read)


def _read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation] | Refusal:
    name = text_of(event.get("type"))
    if name is None:
        return Refusal(index, "unknown_type", detail="type is missing.")
    said = mapping_of(event.get("data"))
    email, morph = mapping_of(said.get("email")), mapping_of(said.get("morph"))
    mail = MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=text_of(said.get("id")),
        recipient=text_of(mapping_of(email.get("recipient")).get("email")),
        timestamp=moment_of(said.get("created_at")) or moment_of(event.get("created_at")),
        message=text_of(mapping_of(email.get("message")).get("id")),
        subject=text_of(email.get("subject")),
        link=text_of(morph.get("url")),
        user_agent=text_of(morph.get("user_agent")),
        reason=first_text(morph.get("readable_reason"), morph.get("reason")),
        is_hard=name == "activity.hard_bounced",
        tags=tags_of(email.get("tags")),
    )
    return (mail_observation(mail, raw=raw, index=index),)
