"""SendGrid Inbound Parse: mails that came in, above all answers to ours.

Source: SendGrid's public documentation of Inbound Parse. A mail comes as a multipart form, read into fields or raw
(`Send Raw`); both are understood. Its Message-ID is its id, In-Reply-To (else the last of References) the mail it
answers. What it quotes is cut off, attachments are dropped, and an automatic answer is a machine's activity.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import mapping_of, text_of
from services.ingest.domain.mail import mail_address
from services.ingest.domain.mime import Mail, decoded, headers_of, html_text, mail_of, moment_in
from services.ingest.domain.multipart import text_fields
from services.ingest.domain.observation import Observation, Parsed
from services.ingest.domain.reply import reply_observation
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "sendgrid_parse"
TITLE: str = "Twilio SendGrid Inbound Parse"
SETUP: tuple[str, ...] = (
    "Point the MX record of a host of yours, like answers.example.com, to mx.sendgrid.net.",
    "In SendGrid: Settings, Inbound Parse, Add Host & URL; choose the host and paste {url} as Destination URL.",
    "Let your mails carry an address at that host as Reply-To.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"inbound": "email_replied"}
STATUSES: tuple[str, ...] = ()
BODY_BYTES_MAX: Final = 10 * 1024 * 1024  # a mail with its attachments; SendGrid itself sends up to 30 MB


def hint(request: InboundRequest) -> str | None:
    """Who wrote it."""
    try:
        return mail_address(_mail(_fields(request)).headers.get("from"))
    except Unreadable:
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """A secret of our own that the address carries (`https://user:password@…`), for a source that was given one."""
    return shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """One mail."""
    _fields(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One mail."""
    fields = _fields(request)
    return Parsed((_observation(_mail(fields), fields, request),))


def _fields(request: InboundRequest) -> dict[str, bytes]:
    """The fields of the form, the first of each name. Raises Unreadable, also for a form that holds no mail."""
    found: dict[str, bytes] = {}
    for name, content in text_fields(request.body, request.headers.get("content-type", "")):
        found.setdefault(name, content)
    if "email" not in found and "headers" not in found and "from" not in found:
        raise Unreadable("The form holds no mail.", slug="not_a_mail")
    return found


def _mail(fields: Mapping[str, bytes]) -> Mail:
    """The mail: raw in one field, or read apart into several, each in a charset of its own."""
    if "email" in fields:
        return mail_of(fields["email"])
    charsets = _charsets(fields)
    said = {name: decoded(content, charsets.get(name)) for name, content in fields.items() if name in _READ_APART}
    headers = dict(headers_of(fields.get("headers", b"")))
    for name in ("from", "to", "subject"):
        if said.get(name):
            headers[name] = said[name]
    return Mail(headers, text_of(said.get("text")) or html_text(said.get("html", "")))


_READ_APART: Final = frozenset({"from", "to", "subject", "text", "html"})


def _charsets(fields: Mapping[str, bytes]) -> dict[str, str]:
    """The charset of each field, as one of the fields says."""
    try:
        said = mapping_of(bodies.read_json(fields.get("charsets", b"{}")))
    except Unreadable:
        return {}
    return {name: charset for name, charset in said.items() if isinstance(charset, str)}


def _observation(mail: Mail, fields: Mapping[str, bytes], request: InboundRequest) -> Observation:
    headers = mail.headers
    return reply_observation(
        headers,
        name="inbound",
        from_address=headers.get("from"),
        to_address=headers.get("to") or fields.get("to", b"").decode(errors="replace"),
        subject=headers.get("subject"),
        text=mail.text,
        timestamp=moment_in(headers),
        raw=headers["message-id"].encode(errors="replace") if headers.get("message-id") else request.body,
    )
