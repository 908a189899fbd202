"""Mailjet event API (webhooks): one event, or a list of them.

Source: Mailjet's public documentation of the Event API. Nothing is signed: the address is the secret; Basic credentials
in it are asked for when the source has them as secret. Mailjet calls `sent` what was delivered. A greylisted bounce is
tried again by Mailjet and is status.
"""

from collections.abc import Mapping, Sequence

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import flag_of, mapping_of, text_of, unix_moment
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
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "mailjet"
TITLE: str = "Mailjet"
SETUP: tuple[str, ...] = (
    "In Mailjet: Account settings, Event notifications (webhooks).",
    "Paste {url} for each event, with grouping switched on.",
    "Better with Basic credentials in the address (https://user:password@…): give Baton `user:password` as secret.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "sent": "email_delivered",
    "open": "email_open",
    "click": "email_click",
    "spam": "email_spam",
    "unsub": "email_unsubscribe",
    "bounce": "email_bounce",
}
STATUSES: tuple[str, ...] = ("bounce greylisted", "blocked")


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Basic credentials of the address."""
    return shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """Number of events."""
    return Outline(len(raw_events(request.body)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per event."""
    return parsed_events(raw_events(request.body), _read)


def _read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation] | Refusal:
    name = text_of(event.get("event"))
    if name is None:
        return Refusal(index, "unknown_type", detail="event names no kind.")
    if name == "bounce" and text_of(event.get("error")) == "greylisted":
        name = "bounce greylisted"
    message, url = text_of(event.get("MessageID")), text_of(event.get("url"))
    campaign = text_of(event.get("customcampaign"))
    mail = MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=id_of_parts(message, name, event.get("time"), url),
        recipient=text_of(event.get("email")),
        timestamp=unix_moment(event.get("time")),
        message=message,
        link=url,
        user_agent=text_of(event.get("agent")),
        reason=first_text(event.get("error"), event.get("smtp_reply"), event.get("comment")),
        is_hard=flag_of(event.get("hard_bounce")) is True,
        campaign=campaign,
        tags=tags_of(campaign),
        metadata=_payload(event.get("Payload")),
    )
    return (mail_observation(mail, raw=raw, index=index),)


def _payload(value: object) -> Mapping[str, object]:
    """What the customer sent along; free text, mostly JSON."""
    try:
        return mapping_of(bodies.read_json((text_of(value) or "{}").encode(errors="replace")))
    except Unreadable:
        return {}
