"""Intercom webhooks: new contacts, and conversations that people start.

Source: Intercom's public documentation of webhook topics and their signature. The scheme has no time, so a repeat is
known by the id of its notification alone.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import company_of, fingerprint_of, mapping_of, profile_of, text_of, unix_moment
from services.ingest.domain.forms import touch_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Texts
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_hex_signed

SENDER: str = "intercom"
TITLE: str = "Intercom"
SETUP: tuple[str, ...] = (
    "In Intercom's Developer Hub: your app, Webhooks; paste {url} as endpoint URL.",
    "Choose the topics contact.user.created, contact.lead.created and conversation.user.created.",
    "Give Baton the client secret of the app (Basic information), then press Send a test.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "contact.created": "identify",
    "contact.user.created": "identify",
    "contact.lead.created": "identify",
    "conversation.user.created": "custom",
}
STATUSES: tuple[str, ...] = ("ping", "conversation.admin.replied", "contact.deleted")
_SIGNATURE: Final = "x-hub-signature"
_START: Final = "sha1="
_PEOPLE: Final = frozenset({"user", "lead", "contact"})  # an author may be a teammate or a bot as well


def hint(request: InboundRequest) -> str | None:
    """The address of the one person."""
    try:
        event = _event(request)
    except Unreadable:
        return None
    return text_of(_someone(_item(event)).get("email"))


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:  # noqa: ARG001 - the protocol's form
    """The unsigned HEAD that asks, when the address is saved, whether anybody is there."""
    return Reply() if request.method == "HEAD" else None


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """`sha1=` and the hex HMAC-SHA1 of the body."""
    given = request.headers.get(_SIGNATURE, "")
    return given.startswith(_START) and is_hex_signed(
        request.body, given.removeprefix(_START), secret=secret, digest="sha1"
    )


def outline(request: InboundRequest) -> Outline:
    """One event."""
    _event(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One notification."""
    event = _event(request)
    name = text_of(event.get("topic"))
    meaning = KINDS.get(name or "", "status")
    item = _item(event)
    someone = _someone(item)
    is_identity = meaning == Operation.IDENTIFY
    spoken = mapping_of(item.get("source"))
    found = Observation(
        operation=Operation.ACTIVITY if meaning == "custom" else Operation(meaning),
        event_id=text_of(event.get("id")),
        kind="custom" if meaning == "custom" else None,
        name=name,
        person=Person() if meaning == Operation.STATUS else _person(someone),
        timestamp=unix_moment(event.get("created_at")),
        traits=_traits(someone) if meaning != Operation.STATUS else {},
        company=company_of({"company": mapping_of(someone.get("company"))}),
        touch=touch_in(item if is_identity else {}, url=text_of(spoken.get("url"))),
        texts=Texts(subject=text_of(spoken.get("subject")), text=text_of(spoken.get("body"))),
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((found,))


def _event(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _item(event: Mapping[str, object]) -> Mapping[str, object]:
    return mapping_of(mapping_of(event.get("data")).get("item"))


def _someone(item: Mapping[str, object]) -> Mapping[str, object]:
    """The contact itself, or who began the conversation."""
    if item.get("type") != "conversation":
        return item
    author = mapping_of(mapping_of(item.get("source")).get("author")) or mapping_of(item.get("user"))
    return author if author.get("type") in _PEOPLE else {}


def _person(someone: Mapping[str, object]) -> Person:
    own = text_of(someone.get("id"))
    return Person(
        user_id=text_of(someone.get("external_id")) or text_of(someone.get("user_id")),
        email=text_of(someone.get("email")),
        phone=text_of(someone.get("phone")),
        external=(SENDER, own) if own else None,
    )


def _traits(someone: Mapping[str, object]) -> dict[str, str]:
    place = mapping_of(someone.get("location"))
    country = text_of(place.get("country_code")) or text_of(place.get("country"))
    return profile_of({**someone, **({"country": country} if country else {})})
