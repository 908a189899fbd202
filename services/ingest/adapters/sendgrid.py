"""Twilio SendGrid Event Webhook, signed.

Source: SendGrid's public documentation of the Event Webhook and its signature (ECDSA P-256 over timestamp and raw body,
which ends in CR LF). Signing is optional there and required here. A queue is no send: processed, deferred and dropped
are status.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, flag_of, text_of, unix_moment
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_ecdsa_p256_signed, is_fresh

SENDER: str = "sendgrid"
TITLE: str = "Twilio SendGrid"
SETUP: tuple[str, ...] = (
    "In SendGrid: Settings, Mail Settings, Event Webhooks, Create new webhook.",
    "Paste {url} as Post URL and choose the events.",
    "Switch Signature Verification on, and give Baton the verification key shown there.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "delivered": "email_delivered",
    "open": "email_open",
    "click": "email_click",
    "bounce": "email_bounce",
    "spamreport": "email_spam",
    "unsubscribe": "email_unsubscribe",
    "group_unsubscribe": "email_unsubscribe",
    "group_resubscribe": "email_subscribe",
}
STATUSES: tuple[str, ...] = ("processed", "deferred", "dropped")
_SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
_TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """ECDSA P-256/SHA-256 over timestamp + raw body; `secret` is the public verification key (base64 DER)."""
    timestamp = request.headers.get(_TIMESTAMP, "")
    if not is_fresh(timestamp, now):
        return False
    signature = request.headers.get(_SIGNATURE, "")
    return is_ecdsa_p256_signed(timestamp.encode() + request.body, signature, public_key=secret)


def outline(request: InboundRequest) -> Outline:
    """Number of events in the array."""
    return Outline(len(bodies.split_array(bodies.utf8(request.body))))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per event; an event without address or kind is refused alone."""
    observations, refusals = [], []
    for index, raw in enumerate(bodies.split_array(bodies.utf8(request.body))):
        try:
            event = bodies.read_event(raw)
        except Unreadable as error:
            refusals.append(Refusal(index, error.problem, detail=error.detail))
            continue
        if text_of(event.get("event")) is None:
            refusals.append(Refusal(index, "unknown_type", detail="event names no kind."))
            continue
        observations.append(_observation(event, raw, index))
    return Parsed(tuple(observations), tuple(refusals))


def _observation(event: Mapping[str, object], raw: bytes, index: int) -> Observation:
    kind = KINDS.get(str(event["event"]))
    email = text_of(event.get("email"))
    message = (text_of(event.get("sg_message_id")) or "").partition(".")[0] or text_of(event.get("smtp-id"))
    is_machine = flag_of(event.get("sg_machine_open")) is True
    return Observation(
        operation=Operation.STATUS if kind is None else Operation.ACTIVITY,
        event_id=text_of(event.get("sg_event_id")),
        kind=kind,
        name=text_of(event.get("event")),
        person=Person(email=email),
        timestamp=unix_moment(event.get("timestamp")),
        touch=Touch(
            campaign=text_of(event.get("marketing_campaign_name")) or text_of(event.get("singlesend_name")),
            link=text_of(event.get("url")),
            message=message,
            user_agent=text_of(event.get("useragent")),
            machine_reason="sg_machine_open" if is_machine else None,
            is_hard=text_of(event.get("type")) != "blocked" if kind == "email_bounce" else None,
        ),
        texts=Texts(recipient=email, subject=text_of(event.get("subject")), text=text_of(event.get("reason"))),
        properties={"category": event["category"]} if "category" in event else {},
        index=index,
        fingerprint=fingerprint_of(raw),
    )
