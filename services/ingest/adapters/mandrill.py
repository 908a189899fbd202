"""Mailchimp Transactional (Mandrill) webhooks: a form with one field, `mandrill_events`, an array of events.

Source: Mailchimp's public documentation of Transactional webhooks and of authenticating them (base64 HMAC-SHA1 over the
address as Mandrill knows it and the sorted fields). While a webhook is set up, an unsigned HEAD and a POST of `[]`
signed with the key `test-webhook` are answered. What is no array of objects is refused as a whole.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import mapping_of, text_of, unix_moment
from services.ingest.domain.form_body import pairs_of
from services.ingest.domain.mail import (
    MailEvent,
    first_text,
    id_of_parts,
    mail_observation,
    parsed_events,
    tags_of,
)
from services.ingest.domain.observation import Observation, Parsed, Refusal
from services.ingest.domain.reply import reply_observation
from services.ingest.domain.source import SourceSettings
from shared.errors import AppError, Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_base64_signed

SENDER: str = "mandrill"
TITLE: str = "Mailchimp Transactional (Mandrill)"
SETUP: tuple[str, ...] = (
    "In Mandrill: Settings, Webhooks, Add a webhook.",
    "Paste {url} as Post to URL and choose the events; Mandrill tries the address once and needs its answer.",
    "Give Baton the key that the list of webhooks shows for it as secret.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "send": "email_sent",
    "delivered": "email_delivered",
    "open": "email_open",
    "click": "email_click",
    "spam": "email_spam",
    "unsub": "email_unsubscribe",
    "hard_bounce": "email_bounce",
    "soft_bounce": "email_bounce",
    "inbound": "email_replied",
}
STATUSES: tuple[str, ...] = ("deferral", "reject", "sync")
_FIELD: Final = "mandrill_events"
_SIGNATURE: Final = "x-mandrill-signature"
_TEST_KEY: Final = "test-webhook"  # what Mandrill signs with before a webhook has its own key; published
_EMPTY: Final = b"[]"


hint = quiet.hint


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:  # noqa: ARG001 - the protocol's form
    """200 for the unsigned HEAD, and for an empty list that is signed with the key of tests."""
    if request.method == "HEAD":
        return Reply()
    try:
        is_empty = _field(request).strip() == _EMPTY
    except AppError:
        return None
    return Reply() if is_empty and _is_signed(request, _TEST_KEY) else None


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - Mandrill signs no time
    """Base64 HMAC-SHA1 over the public address and the sorted fields; `secret` is the webhook's key."""
    return secret != _TEST_KEY and _is_signed(request, secret)


def outline(request: InboundRequest) -> Outline:
    """Number of events in the array."""
    return Outline(len(_events(request)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per event."""
    return parsed_events(_events(request), _read)


def _is_signed(request: InboundRequest, secret: str) -> bool:
    try:
        fields = sorted(pairs_of(request.body, request.headers.get("content-type", "")))
    except AppError:
        return False
    signed = request.url + "".join(name + value for name, value in fields)
    return is_base64_signed(
        signed.encode(errors="replace"), request.headers.get(_SIGNATURE, ""), secret=secret, digest="sha1"
    )


def _field(request: InboundRequest) -> bytes:
    fields = dict(pairs_of(request.body, request.headers.get("content-type", "")))
    if _FIELD not in fields:
        raise Unreadable(f"The form must have the field {_FIELD}.", slug="not_a_batch")
    return fields[_FIELD].encode(errors="replace")


def _events(request: InboundRequest) -> tuple[bytes, ...]:
    """The raw events. Raises Unreadable when the field is no array of objects."""
    events = bodies.split_array(_field(request))
    if any(not event.lstrip().startswith(b"{") for event in events):
        raise Unreadable("The field must be an array of objects.", slug="not_an_array")
    return events


def _read(event: Mapping[str, object], raw: bytes, index: int) -> Sequence[Observation] | Refusal:
    name = text_of(event.get("event")) or ("sync" if "reject" in event or "type" in event else None)
    if name is None:
        return Refusal(index, "unknown_type", detail="event names no kind.")
    said = mapping_of(event.get("msg"))
    if name == "inbound":
        return (_reply(event, said, raw, index),)
    own_id, url = first_text(event.get("_id"), said.get("_id")), text_of(event.get("url"))
    mail = MailEvent(
        name=name,
        kind=KINDS.get(name),
        is_status=name in STATUSES,
        event_id=id_of_parts(own_id, event.get("ts"), name, url),
        recipient=first_text(said.get("email"), mapping_of(event.get("reject")).get("email")),
        timestamp=unix_moment(event.get("ts")),
        message=own_id,
        subject=text_of(said.get("subject")),
        link=url,
        user_agent=text_of(event.get("user_agent")),
        reason=first_text(
            said.get("diag"), said.get("bounce_description"), mapping_of(event.get("reject")).get("reason")
        ),
        is_hard=name == "hard_bounce",
        tags=tags_of(said.get("tags")),
        metadata=mapping_of(said.get("metadata")),
    )
    return (mail_observation(mail, raw=raw, index=index),)


def _reply(event: Mapping[str, object], said: Mapping[str, object], raw: bytes, index: int) -> Observation:
    headers = {name.lower(): value for name, value in mapping_of(said.get("headers")).items()}
    return reply_observation(
        headers,
        name="inbound",
        from_address=said.get("from_email"),
        to_address=said.get("email"),
        subject=said.get("subject"),
        text=said.get("text"),
        timestamp=unix_moment(event.get("ts")),
        raw=raw,
        index=index,
    )
