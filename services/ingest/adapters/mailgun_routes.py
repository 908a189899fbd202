"""Mailgun routes: mails that came in, above all answers to ours, forwarded or stored-and-notified.

Source: Mailgun's public documentation of routes and of securing them: hex HMAC-SHA256 over timestamp + token, as fields
of the form. The mail itself is not signed, so a token counts once. Its Message-ID is its id, In-Reply-To (else the last
of References) the mail it answers; what it quotes is cut off, attachments are dropped, and an automatic answer is a
machine's activity.
"""

from collections.abc import Mapping
from typing import Final

import orjson

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import text_of, unix_moment
from services.ingest.domain.form_body import pairs_of
from services.ingest.domain.mail import first_text, mail_address
from services.ingest.domain.mime import html_text, moment_in
from services.ingest.domain.observation import Parsed
from services.ingest.domain.reply import reply_observation
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_fresh, is_hex_signed

SENDER: str = "mailgun_routes"
TITLE: str = "Mailgun routes (mails that come in)"
SETUP: tuple[str, ...] = (
    "In Mailgun: Send, Receiving, Create route; match the recipients that your mails carry as Reply-To.",
    "As action choose Forward (or Store and notify) and paste {url}.",
    "Give Baton the HTTP webhook signing key (API security page) as secret.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"inbound": "email_replied"}
STATUSES: tuple[str, ...] = ()
BODY_BYTES_MAX: Final = 10 * 1024 * 1024  # a mail with its attachments
_PROOF_FIELDS: Final = frozenset({"signature", "token", "timestamp"})  # they differ each time Mailgun tries
_HEADER_FIELDS: Final = ("Message-Id", "In-Reply-To", "References", "Auto-Submitted", "Precedence", "X-Autoreply")
"""Headers that also come as fields of their own."""


def hint(request: InboundRequest) -> str | None:
    """Who wrote it."""
    try:
        fields = _fields(request)
    except Unreadable:
        return None
    return mail_address(first_text(fields.get("from"), fields.get("sender")))


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """Hex HMAC-SHA256 of timestamp + token; `secret` is the HTTP webhook signing key."""
    try:
        fields = _fields(request)
    except Unreadable:
        return False
    timestamp, token = fields.get("timestamp", ""), fields.get("token", "")
    signed = f"{timestamp}{token}".encode(errors="replace")
    is_signed = is_hex_signed(signed, fields.get("signature", ""), secret=secret)
    return bool(token) and is_fresh(timestamp, now) and is_signed


def once(request: InboundRequest) -> tuple[str, bytes] | None:
    """(token, what is delivered under it): a second delivery that shows the token must deliver the same."""
    try:
        fields = _fields(request)
    except Unreadable:
        return None
    return (fields["token"], _alike(fields)) if fields.get("token") else None


def outline(request: InboundRequest) -> Outline:
    """One mail."""
    _fields(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One mail."""
    fields = _fields(request)
    headers = _headers(fields)
    text = text_of(fields.get("body-plain")) or html_text(fields.get("body-html", ""))
    found = reply_observation(
        headers,
        name="inbound",
        from_address=first_text(fields.get("from"), fields.get("sender")),
        to_address=fields.get("recipient"),
        subject=fields.get("subject"),
        text=text_of(fields.get("stripped-text")) or text,
        timestamp=moment_in(headers) or unix_moment(fields.get("timestamp")),
        raw=_alike(fields),
    )
    return Parsed((found,))


def _fields(request: InboundRequest) -> dict[str, str]:
    """The fields of the form, the first of each name. Raises Unreadable, also for a form that holds no mail."""
    found: dict[str, str] = {}
    for name, value in pairs_of(request.body, request.headers.get("content-type", "")):
        found.setdefault(name, value)
    if not (found.get("from") or found.get("sender")):
        raise Unreadable("The form holds no mail.", slug="not_a_mail")
    return found


def _alike(fields: Mapping[str, str]) -> bytes:
    """What stays the same however often Mailgun delivers it."""
    return orjson.dumps(sorted((name, value) for name, value in fields.items() if name not in _PROOF_FIELDS))


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    """The headers by lower-case names: all of them in one field, some in fields of their own."""
    found = {name.lower(): fields[name] for name in _HEADER_FIELDS if name in fields}
    try:
        listed = bodies.read_json(fields.get("message-headers", "[]").encode(errors="replace"))
    except Unreadable:
        listed = []
    for pair in listed if isinstance(listed, list) else []:
        name, value = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
        if isinstance(name, str) and isinstance(value, str):
            found.setdefault(name.lower(), value)
    return found
