"""Mailgun webhooks: the events of today as JSON, those of the legacy API as forms.

Source: Mailgun's public documentation of webhooks and of securing them (hex HMAC-SHA256 over timestamp + token, under
`signature` in JSON, as fields in a form). The body is not signed, so a token counts once: again with the same body it
is a repeat, with another body it is refused. A temporary failure is tried again by Mailgun and is status.
"""

from collections.abc import Mapping
from typing import Final

import orjson

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import exact_moment, mapping_of, text_of
from services.ingest.domain.form_body import form_of
from services.ingest.domain.mail import MailEvent, first_text, mail_address, mail_message, mail_observation, tags_of
from services.ingest.domain.observation import Parsed
from services.ingest.domain.source import SourceSettings
from shared.errors import AppError, Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_fresh, is_hex_signed

SENDER: str = "mailgun"
TITLE: str = "Mailgun"
SETUP: tuple[str, ...] = (
    "In Mailgun: Send, Sending, Webhooks, Add webhook; one for each event type.",
    "Paste {url} as URL.",
    "Give Baton the HTTP webhook signing key (API security page) as secret.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "delivered": "email_delivered",
    "opened": "email_open",
    "clicked": "email_click",
    "complained": "email_spam",
    "unsubscribed": "email_unsubscribe",
    "failed permanent": "email_bounce",
    "bounced": "email_bounce",
}
STATUSES: tuple[str, ...] = ("accepted", "failed temporary", "rejected", "dropped")
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_PROOF_FIELDS: Final = frozenset({"signature", "token", "timestamp"})  # they differ each time Mailgun tries
_LEGACY_TAGS: Final = ("tag", "X-Mailgun-Tag")
_LEGACY_FIELDS: Final = frozenset(
    {"event", "recipient", "domain", "timestamp", "token", "signature", "code", "error", "description", "reason"}
    | {"Message-Id", "message-id", "message-headers", "X-Mailgun-Sid", "X-Mailgun-Tag", "tag", "mailing-list", "url"}
    | {"campaign-id", "campaign-name", "notification", "ip", "country", "region", "city", "body-plain", "h"}
    | {"user-agent", "device-type", "client-type", "client-name", "client-os"}
)
"""What the legacy API itself says; other fields of its forms are the customer's own."""


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """Hex HMAC-SHA256 of timestamp + token; `secret` is the HTTP webhook signing key."""
    timestamp, token, signature = _signed(request)
    signed = f"{timestamp}{token}".encode(errors="replace")
    return bool(token) and is_fresh(timestamp, now) and is_hex_signed(signed, signature, secret=secret)


def once(request: InboundRequest) -> tuple[str, bytes] | None:
    """(token, what is delivered under it): a second delivery that shows the token must deliver the same."""
    token = _signed(request)[1]
    return (token, _alike(_content(request))) if token else None


def outline(request: InboundRequest) -> Outline:
    """One event; of a form, too."""
    _content(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """The one observation of a delivery."""
    content = _content(request)
    said = mapping_of(content.get("event-data"))
    event = _event(said) if said else _legacy_event(content)
    return Parsed((mail_observation(event, raw=_alike(content)),))


def _content(request: InboundRequest) -> Mapping[str, object]:
    """The delivery as an object. Raises Unreadable, also for one that names no event."""
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith(_FORMS):
        content = form_of(request.body, content_type)
    else:
        content = bodies.read_event(bodies.utf8(request.body))
    if text_of(mapping_of(content.get("event-data")).get("event")) or text_of(content.get("event")):
        return content
    raise Unreadable("The delivery names no event.", slug="unknown_type")


def _alike(content: Mapping[str, object]) -> bytes:
    """What stays the same however often Mailgun delivers it."""
    own = {name: value for name, value in content.items() if name not in _PROOF_FIELDS}
    return orjson.dumps(mapping_of(content.get("event-data")) or own, option=orjson.OPT_SORT_KEYS)


def _signed(request: InboundRequest) -> tuple[str, str, str]:
    """(timestamp, token, signature), each "" when it is not there as a text."""
    try:
        content = _content(request)
    except AppError:
        return "", "", ""
    inner = mapping_of(content.get("signature")) or content
    values = (inner.get("timestamp"), inner.get("token"), inner.get("signature"))
    timestamp, token, signature = (one if isinstance(one, str) else "" for one in values)
    return timestamp, token, signature


def _event(said: Mapping[str, object]) -> MailEvent:
    name = text_of(said.get("event")) or ""
    if name == "failed":
        name = f"failed {text_of(said.get('severity')) or 'permanent'}"
    headers = mapping_of(mapping_of(said.get("message")).get("headers"))
    status, reject = mapping_of(said.get("delivery-status")), mapping_of(said.get("reject"))
    return MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=text_of(said.get("id")),
        recipient=text_of(said.get("recipient")) or mail_address(headers.get("to")),
        timestamp=exact_moment(said.get("timestamp")),
        message=mail_message(headers.get("message-id")),
        subject=text_of(headers.get("subject")),
        link=text_of(said.get("url")),
        user_agent=text_of(mapping_of(said.get("client-info")).get("user-agent")),
        reason=first_text(status.get("description"), status.get("message"), reject.get("reason"), said.get("reason")),
        is_hard=name == "failed permanent",
        tags=tags_of(said.get("tags")),
        metadata=mapping_of(said.get("user-variables")),
    )


def _legacy_event(fields: Mapping[str, object]) -> MailEvent:
    name = text_of(fields.get("event")) or ""
    return MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=text_of(fields.get("token")),
        recipient=text_of(fields.get("recipient")),
        timestamp=exact_moment(fields.get("timestamp")),
        message=mail_message(fields.get("Message-Id") or fields.get("message-id")),
        link=text_of(fields.get("url")),
        user_agent=text_of(fields.get("user-agent")),
        reason=first_text(fields.get("description"), fields.get("error"), fields.get("reason")),
        is_hard=True,
        tags=tuple(tag for name in _LEGACY_TAGS for tag in tags_of(fields.get(name))),
        metadata={name: value for name, value in fields.items() if name not in _LEGACY_FIELDS},
    )
