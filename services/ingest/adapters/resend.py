"""Resend webhooks, signed as Svix does.

Source: Resend's public documentation of webhooks and their verification (Standard Webhooks with `svix-` names). An
event names the mail, not who of several recipients did it: it is one activity for each address of `to`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import mapping_of, moment_of, text_of
from services.ingest.domain.mail import MailEvent, first_text, mail_address, mail_observation
from services.ingest.domain.observation import Observation, Parsed
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_standard_webhook

SENDER: str = "resend"
TITLE: str = "Resend"
SETUP: tuple[str, ...] = (
    "In Resend: Webhooks, Add Webhook.",
    "Paste {url} as Endpoint URL and choose the events.",
    "Give Baton the signing secret that Resend then shows (whsec_…).",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type", "svix-id", "webhook-id")
KINDS: Mapping[str, str] = {
    "email.sent": "email_sent",
    "email.delivered": "email_delivered",
    "email.opened": "email_open",
    "email.clicked": "email_click",
    "email.bounced": "email_bounce",
    "email.complained": "email_spam",
}
STATUSES: tuple[str, ...] = ("email.delivery_delayed", "email.scheduled", "email.failed", "email.suppressed")
_SOFT: Final = frozenset({"Transient", "Undetermined"})
_RECIPIENTS_MAX: Final = 100  # Resend allows 50 in one mail


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """Standard Webhooks: HMAC-SHA256 of id, time and body; `secret` is the signing secret (whsec_…)."""
    return is_standard_webhook(request.headers, request.body, secret=secret, now=now)


def outline(request: InboundRequest) -> Outline:
    """One event for each recipient."""
    return Outline(len(parse(request, SourceSettings()).observations))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per recipient."""
    event = bodies.read_event(bodies.utf8(request.body))
    name = text_of(event.get("type"))
    if name is None:
        raise Unreadable("The event names no type.", slug="unknown_type")
    return Parsed(tuple(_observations(request, event, name)))


def _observations(request: InboundRequest, event: Mapping[str, object], name: str) -> Iterator[Observation]:
    said, own_id = mapping_of(event.get("data")), request.headers.get("svix-id") or request.headers.get("webhook-id")
    click, bounce = mapping_of(said.get("click")), mapping_of(said.get("bounce"))
    recipients = _recipients(said.get("to"))
    for index, address in enumerate(recipients):
        mail = MailEvent(
            name=name,
            kind=KINDS.get(name),
            is_status=name in STATUSES,
            event_id=own_id if own_id is None or len(recipients) == 1 else f"{own_id}\x1f{address}",
            recipient=address,
            timestamp=moment_of(event.get("created_at")),
            message=text_of(said.get("email_id")),
            subject=text_of(said.get("subject")),
            link=text_of(click.get("link")),
            user_agent=first_text(click.get("userAgent"), mapping_of(said.get("open")).get("userAgent")),
            reason=text_of(bounce.get("message")),
            is_hard=text_of(bounce.get("type")) not in _SOFT,
            metadata=mapping_of(said.get("tags")),
        )
        yield mail_observation(mail, raw=request.body + (address or "").encode(errors="replace"), index=index)


def _recipients(value: object) -> list[str | None]:
    """The addresses a mail went to, each once; one that is unknown when none is said."""
    listed = value[:_RECIPIENTS_MAX] if isinstance(value, list) else [value]
    return list(dict.fromkeys(address for one in listed if (address := mail_address(one)))) or [None]
