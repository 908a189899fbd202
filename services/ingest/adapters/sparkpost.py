"""SparkPost event webhooks: a list of events, each inside `msys` under the name of its class.

Source: SparkPost's public documentation of event webhooks and bounce classes. Nothing is signed: the address is the
secret; the Basic credentials or the token that SparkPost can send along are asked for when the source has them as
secret. `initial_open` comes beside `open` and is status, unless the source's option `initial_open_counts` is true.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain.fields import flag_of, mapping_of, moment_of, text_of, unix_moment
from services.ingest.domain.mail import (
    MailEvent,
    first_text,
    mail_observation,
    parsed_events,
    raw_events,
    tags_of,
)
from services.ingest.domain.observation import Observation, Parsed
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "sparkpost"
TITLE: str = "SparkPost"
SETUP: tuple[str, ...] = (
    "In SparkPost: Configuration, Webhooks, Create Webhook.",
    "Paste {url} as Target URL and choose the events.",
    "Better with Basic authentication: set it there and give Baton `user:password` as secret.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "delivery": "email_delivered",
    "open": "email_open",
    "amp_open": "email_open",
    "click": "email_click",
    "amp_click": "email_click",
    "spam_complaint": "email_spam",
    "list_unsubscribe": "email_unsubscribe",
    "link_unsubscribe": "email_unsubscribe",
    "bounce": "email_bounce",
    "out_of_band": "email_bounce",
}
STATUSES: tuple[str, ...] = (
    "injection",
    "delay",
    "bounce challenge",
    "policy_rejection",
    "generation_failure",
    "generation_rejection",
    "initial_open",
    "amp_initial_open",
    "test",
)
_INITIAL: Final = frozenset({"initial_open", "amp_initial_open"})
_INITIAL_COUNTS: Final = "initial_open_counts"
_CHALLENGE: Final = "60"
_HARD: Final = frozenset({"10", "30", "90"})  # invalid recipient, no recipient, unsubscribe


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Basic credentials, a bearer token, or SparkPost's own token header."""
    return shows_secret(request.headers, secret, "x-messagesystems-webhook-token")


def outline(request: InboundRequest) -> Outline:
    """Number of events."""
    return Outline(len(raw_events(request.body)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """One observation per event."""
    initial_counts = flag_of(settings.options.get(_INITIAL_COUNTS)) is True

    def read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation]:
        return (mail_observation(_event(event, initial_counts=initial_counts), raw=raw, index=index),)

    return parsed_events(raw_events(request.body), read)


def _event(event: Mapping[str, object], *, initial_counts: bool) -> MailEvent:
    said = next((mapping_of(one) for one in mapping_of(event.get("msys")).values()), {})
    name, bounce_class = text_of(said.get("type")) or "test", text_of(said.get("bounce_class"))
    if name == "bounce" and bounce_class == _CHALLENGE:
        name = "bounce challenge"
    is_counted = name in _INITIAL and initial_counts
    return MailEvent(
        name=name,
        kind="email_open" if is_counted else KINDS.get(name),
        is_status=name in STATUSES and not is_counted,
        event_id=text_of(said.get("event_id")),
        recipient=first_text(said.get("raw_rcpt_to"), said.get("rcpt_to")),
        timestamp=unix_moment(said.get("timestamp")) or moment_of(said.get("timestamp")),
        message=text_of(said.get("transmission_id")),
        subject=text_of(said.get("subject")),
        link=text_of(said.get("target_link_url")),
        user_agent=text_of(said.get("user_agent")),
        reason=first_text(said.get("raw_reason"), said.get("reason")),
        is_hard=bounce_class in _HARD,
        campaign=text_of(said.get("campaign_id")),
        tags=tags_of(said.get("rcpt_tags")),
        metadata=mapping_of(said.get("rcpt_meta")),
    )
