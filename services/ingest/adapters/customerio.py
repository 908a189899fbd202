"""Customer.io reporting webhooks.

Source: Customer.io's public documentation and OpenAPI document of reporting webhooks (hex HMAC-SHA256 of `v0:`, the
timestamp, `:` and the body). Opens and clicks that it knows to be made by software say so. What is sent by other ways
than mail (sms, push, in-app, Slack, webhooks) is kept as `custom` under its name.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import flag_of, mapping_of, text_of, unix_moment
from services.ingest.domain.mail import MailEvent, first_text, mail_observation
from services.ingest.domain.observation import Parsed
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_fresh, is_hex_signed

SENDER: str = "customerio"
TITLE: str = "Customer.io"
SETUP: tuple[str, ...] = (
    "In Customer.io: Integrations, Reporting Webhooks, Add Reporting Webhook.",
    "Paste {url} as Webhook Endpoint and choose the events.",
    "Give Baton the Webhook Signing Key shown there as secret.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "email sent": "email_sent",
    "email delivered": "email_delivered",
    "email opened": "email_open",
    "email clicked": "email_click",
    "email bounced": "email_bounce",
    "email unsubscribed": "email_unsubscribe",
    "email spammed": "email_spam",
    "customer subscribed": "email_subscribe",
    "customer unsubscribed": "email_unsubscribe",
}
STATUSES: tuple[str, ...] = (
    "email drafted",
    "email attempted",
    "email deferred",
    "email converted",
    "email dropped",
    "email undeliverable",
    "email failed",
)
_OTHER_WAYS: Final = frozenset({"sms", "push", "in_app", "slack", "webhook", "whatsapp", "in_app_inbox"})
_MACHINE_FLAGS: Final = ("proxied", "prefetched", "synthetic", "machine")
_CAMPAIGNS: Final = ("campaign_id", "broadcast_id", "newsletter_id")


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """Hex HMAC-SHA256 of `v0:timestamp:body`; `secret` is the webhook signing key."""
    timestamp = request.headers.get("x-cio-timestamp", "")
    signed = f"v0:{timestamp}:".encode(errors="replace") + request.body
    signature = request.headers.get("x-cio-signature", "")
    return is_fresh(timestamp, now) and is_hex_signed(signed, signature, secret=secret)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    _event(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """The observation of a delivery."""
    event = _event(request)
    said = mapping_of(event.get("data"))
    identifiers = mapping_of(said.get("identifiers"))
    object_type = text_of(event.get("object_type")) or ""
    name = f"{object_type} {text_of(event.get('metric'))}".strip()
    address = first_text(said.get("email_address"), identifiers.get("email"))
    machine = next((flag for flag in _MACHINE_FLAGS if flag_of(said.get(flag)) is True), None)
    mail = MailEvent(
        name=name,
        kind="custom" if object_type in _OTHER_WAYS else KINDS.get(name),
        is_status=name in STATUSES,
        event_id=text_of(event.get("event_id")),
        recipient=text_of(said.get("recipient")) or address if object_type == "email" else address,
        user_id=first_text(identifiers.get("id"), said.get("customer_id")),
        timestamp=unix_moment(event.get("timestamp")),
        message=text_of(said.get("delivery_id")),
        subject=text_of(said.get("subject")),
        link=text_of(said.get("href")),
        reason=text_of(said.get("failure_message")),
        is_hard=True,
        machine_reason=machine,
        campaign=first_text(*(said.get(field) for field in _CAMPAIGNS)),
    )
    return Parsed((mail_observation(mail, raw=request.body),))


def _event(request: InboundRequest) -> Mapping[str, object]:
    """The event. Raises Unreadable for one without a metric."""
    event = bodies.read_event(bodies.utf8(request.body))
    if text_of(event.get("metric")) is None:
        raise Unreadable("The event names no metric.", slug="unknown_type")
    return event
