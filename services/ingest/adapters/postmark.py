"""Postmark webhooks: delivery, open, click, bounce, spam complaint, subscription change.

Source: Postmark's public documentation of webhooks. Postmark signs nothing: it sends the Basic credentials of the
address, or headers that you set there, and one of them is the secret. Automatic answers and delays come as bounces and
are status; an unsubscribe comes as a bounce or as a subscription change, and is one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain.fields import flag_of, mapping_of, moment_of, text_of
from services.ingest.domain.mail import (
    MailEvent,
    first_text,
    id_of_parts,
    mail_observation,
    parsed_events,
    raw_events,
    tags_of,
)
from services.ingest.domain.observation import Observation, Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "postmark"
TITLE: str = "Postmark"
SETUP: tuple[str, ...] = (
    "In Postmark: your server, your message stream, Webhooks, Add webhook.",
    "Paste {url} as Webhook URL and choose the events.",
    "Set Basic auth credentials there, with Baton's secret as password; or give Baton `user:password` as secret.",
)
PROOF: Proof = "shared_secret"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "Delivery": "email_delivered",
    "Open": "email_open",
    "Click": "email_click",
    "SpamComplaint": "email_spam",
    "Bounce": "email_bounce",
    "Bounce Unsubscribe": "email_unsubscribe",
    "SubscriptionChange": "email_subscribe",
    "SubscriptionChange HardBounce": "email_bounce",
    "SubscriptionChange SpamComplaint": "email_spam",
    "SubscriptionChange ManualSuppression": "email_unsubscribe",
}
STATUSES: tuple[str, ...] = (
    "Bounce Transient",
    "Bounce AutoResponder",
    "Bounce ChallengeVerification",
    "Bounce AddressChange",
    "Bounce Subscribe",
)
_HARD: Final = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated"})
_SUPPRESSED: Final = "SubscriptionChange ManualSuppression"
_TIMES: Final = ("DeliveredAt", "BouncedAt", "ChangedAt", "ReceivedAt")


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Basic credentials `user:password`, or a configured header `Name: value`."""
    return shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    return Outline(len(raw_events(request.body)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """The observation of a delivery."""
    return parsed_events(raw_events(request.body), _read)


def _read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation] | Refusal:
    record_type = text_of(event.get("RecordType"))
    if record_type is None:
        return Refusal(index, "unknown_type", detail="RecordType is missing.")
    name, bounce_type = _name(record_type, event), text_of(event.get("Type"))
    time = next((text for field in _TIMES if (text := text_of(event.get(field)))), None)
    message = text_of(event.get("MessageID"))
    mail = MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=id_of_parts(message, record_type, time, event.get("ID")),
        recipient=first_text(event.get("Recipient"), event.get("Email")),
        timestamp=moment_of(time),
        message=message,
        subject=text_of(event.get("Subject")),
        link=text_of(event.get("OriginalLink")),
        user_agent=text_of(event.get("UserAgent")),
        reason=first_text(event.get("Details"), event.get("Description"), event.get("SuppressionReason")),
        is_hard=bounce_type in _HARD or name == "SubscriptionChange HardBounce",
        tags=tags_of(event.get("Tag")),
        metadata=mapping_of(event.get("Metadata")),
    )
    return (mail_observation(mail, raw=raw, index=index),)


def _name(record_type: str, event: Mapping[str, object]) -> str:
    """The record type, with what else decides its kind."""
    if record_type == "Bounce":
        name = f"Bounce {text_of(event.get('Type'))}"
        return name if name in KINDS or name in STATUSES else record_type
    if record_type == "SubscriptionChange" and flag_of(event.get("SuppressSending")) is not False:
        name = f"SubscriptionChange {text_of(event.get('SuppressionReason'))}"
        return name if name in KINDS else _SUPPRESSED
    return record_type
