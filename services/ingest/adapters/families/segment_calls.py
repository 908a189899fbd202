"""What all senders have in common that speak Segment's calls: identify, track, page, screen, group and alias.

Segment itself, RudderStack, Jitsu and Customer.io's data pipelines send these calls, one to a path or many in a
`batch`; each has its own adapter, which says where they come in. One event that cannot be read is refused alone: the
libraries drop a whole batch on any 4xx. `track` goes through the table of names.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

import msgspec

from services.ingest.adapters import Outline
from services.ingest.domain import body as bodies
from services.ingest.domain.activity import clicked_source
from services.ingest.domain.fields import (
    company_of,
    consents_of,
    fingerprint_of,
    mapping_of,
    moment_of,
    profile_of,
    text_of,
)
from services.ingest.domain.observation import Company, Observation, Operation, Parsed, Person, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import TooLarge, Unreadable
from shared.senders import InboundRequest, Reply

__all__ = ["BATCH_ENDS", "KEPT_HEADERS", "KINDS", "handshake", "hint", "outline", "parse", "verify"]

BATCH_ENDS: Final = ("/batch", "/b")
KINDS: Final[Mapping[str, str]] = {"page": "page_view", "screen": "page_view"}
KEPT_HEADERS: Final = ("content-type", "content-encoding")
MESSAGE_ID_BYTES_MAX: Final = 256
_TYPES: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})
_TYPE_OF_PATH: Final[Mapping[str, str]] = {
    "t": "track", "i": "identify", "p": "page", "g": "group", "a": "alias", **{name: name for name in _TYPES}
}  # fmt: skip
_OPERATIONS: Final[Mapping[str, Operation]] = {
    "identify": Operation.IDENTIFY,
    "group": Operation.GROUP,
    "alias": Operation.ALIAS,
}


class _EventOutline(msgspec.Struct, rename="camel"):
    type: object = None
    message_id: object = None
    user_id: object = None
    anonymous_id: object = None
    previous_id: object = None
    write_key: object = None


_OUTLINE: Final = msgspec.json.Decoder(_EventOutline)


def hint(request: InboundRequest) -> str | None:
    """The person of a single event; a batch names several."""
    try:
        return outline(request).hint
    except (Unreadable, TooLarge):
        return None


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:  # noqa: ARG001 - the protocol's form
    """These libraries shake no hands."""
    return None


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Never: a write key proves the source, and the door checks that."""
    return False


def outline(request: InboundRequest) -> Outline:
    """Number of events, those refused, and of a single event the person."""
    plain = _plain(request)
    if not request.path.endswith(BATCH_ENDS):
        return _outline_single(plain, request.path)
    batch = bodies.split_batch(plain)
    refusals = [
        refusal for index, raw in enumerate(batch.events) if (refusal := _refusal(raw, index, None)) is not None
    ]
    key = text_of(batch.field("writeKey")) or (_asked_key(request.query) if request.query else None)
    return Outline(len(batch.events), tuple(refusals), key=key)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """All events of the body in its order."""
    plain = _plain(request)
    if not request.path.endswith(BATCH_ENDS):
        event_type = _TYPE_OF_PATH.get(request.path.rpartition("/")[2])
        return _parsed([plain], {}, event_type)
    batch = bodies.split_batch(plain)
    beside = {"sentAt": batch.field("sentAt"), "context": batch.field("context")}
    return _parsed(batch.events, beside, None)


def _plain(request: InboundRequest) -> bytes:
    return bodies.plain(request.body, encoding=request.headers.get("content-encoding", ""))


def _asked_key(query: str) -> str | None:
    """The write key in the query, where a browser puts it that leaves a page and can set no header."""
    try:
        return next(iter(parse_qs(query, max_num_fields=100).get("writeKey", ())), None)
    except ValueError:
        return None


def _outline_single(plain: bytes, path: str) -> Outline:
    event = _outlined(plain, 0)
    if isinstance(event, Refusal):
        return Outline(1, (event,), key=_key_of(plain), is_single=True)
    refusal = _refusal_of(event, 0, _TYPE_OF_PATH.get(path.rpartition("/")[2]))
    hint_text = text_of(event.user_id) or text_of(event.anonymous_id)
    refusals = () if refusal is None else (refusal,)
    return Outline(1, refusals, hint_text, text_of(event.write_key), is_single=True)


def _key_of(raw: bytes) -> str | None:
    """The write key in an event that is refused: who sent it is told why."""
    try:
        return text_of(_OUTLINE.decode(raw).write_key)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return None


def _refusal(raw: bytes, index: int, path_type: str | None) -> Refusal | None:
    """Why one event is not taken, or None."""
    outlined = _outlined(raw, index)
    return outlined if isinstance(outlined, Refusal) else _refusal_of(outlined, index, path_type)


def _outlined(raw: bytes, index: int) -> _EventOutline | Refusal:
    """What the door looks at of one event; nearly every event is outlined without decoding it."""
    try:
        return _OUTLINE.decode(raw) if bodies.is_plain(raw) else _outline_of(bodies.read_event(raw))
    except Unreadable as error:
        return Refusal(index, error.problem, detail=error.detail)
    except msgspec.ValidationError:
        return Refusal(index, "not_an_object", detail="An event must be a JSON object.")
    except msgspec.DecodeError:
        return Refusal(index, "not_json", detail=bodies.not_json(raw))


def _refusal_of(outlined: _EventOutline, index: int, path_type: str | None) -> Refusal | None:
    event_id = outlined.message_id
    if event_id is not None and (not isinstance(event_id, str) or len(event_id.encode()) > MESSAGE_ID_BYTES_MAX):
        return Refusal(index, "message_id", detail="messageId must be a text of at most 256 bytes.")
    event_type = outlined.type or path_type
    if not isinstance(event_type, str) or event_type not in _TYPES:
        return Refusal(index, "unknown_type", event_id, "type must be track, identify, page, screen, group or alias.")
    ids = (outlined.user_id, outlined.anonymous_id, outlined.previous_id)
    if all(text_of(one) is None for one in ids):
        return Refusal(index, "no_person", event_id, "Send userId or anonymousId.")
    return None


def _outline_of(event: Mapping[str, object]) -> _EventOutline:
    names = ("type", "messageId", "userId", "anonymousId", "previousId", "writeKey")
    return _EventOutline(*(event.get(name) for name in names))


def _parsed(raws: Sequence[bytes], fields: Mapping[str, object], path_type: str | None) -> Parsed:
    observations, refusals = [], []
    for index, raw in enumerate(raws):
        try:
            event = bodies.read_event(raw)
        except Unreadable as error:
            refusals.append(Refusal(index, error.problem, detail=error.detail))
            continue
        refusal = _refusal_of(_outline_of(event), index, path_type)
        if refusal is None:
            observations.append(_observation(event, raw, index, fields, path_type))
        else:
            refusals.append(refusal)
    return Parsed(tuple(observations), tuple(refusals))


def _observation(
    event: Mapping[str, object], raw: bytes, index: int, fields: Mapping[str, object], path_type: str | None
) -> Observation:
    event_type = str(event.get("type") or path_type)
    context = mapping_of(event.get("context")) or mapping_of(fields.get("context"))
    properties = mapping_of(event.get("properties"))
    traits = mapping_of(event.get("traits")) if event_type != "group" else mapping_of(context.get("traits"))
    known = {**mapping_of(context.get("traits")), **traits}
    operation = _OPERATIONS.get(event_type, Operation.ACTIVITY)
    form = _form_traits(properties) if event_type == "track" else {}
    said = {**known, **form}
    is_own_act = operation is Operation.ACTIVITY
    return Observation(
        operation=operation,
        event_id=text_of(event.get("messageId")),
        kind=KINDS.get(event_type),
        name=text_of(event.get("event")) or text_of(event.get("name")),
        person=_person(event, event_type, said),
        timestamp=moment_of(event.get("timestamp")) or moment_of(event.get("originalTimestamp")),
        sent_at=moment_of(event.get("sentAt")) or moment_of(fields.get("sentAt")),
        traits=profile_of(said),
        company=_company(event, event_type, said),
        touch=_touch(context, properties),
        texts=Texts(answers=mapping_of(properties.get("answers"))),
        consents=consents_of(form if is_own_act else known, is_own_act=is_own_act),
        properties=properties,
        entry_channel=text_of(known.get("entry_channel")),
        index=index,
        fingerprint=fingerprint_of(raw),
    )


def _form_traits(properties: Mapping[str, object]) -> dict[str, object]:
    """What a form tells of the person who filled it in: its answers come as properties, the e-mail among them."""
    if text_of(properties.get("email")) is None:
        return {}
    names = ("email", "phone", "firstName", "lastName", "first_name", "last_name", "title", "job_title", "company")
    consent = ("consent", "consent_purpose", "consent_wording", "consent_at")
    return {name: properties[name] for name in (*names, *consent) if name in properties}


def _person(event: Mapping[str, object], event_type: str, traits: Mapping[str, object]) -> Person:
    anonymous_id = text_of(event.get("anonymousId"))
    if event_type == "alias":
        anonymous_id = text_of(event.get("previousId")) or anonymous_id
    system, id_there = text_of(traits.get("external_system")), text_of(traits.get("external_id"))
    return Person(
        anonymous_id=anonymous_id,
        user_id=text_of(event.get("userId")),
        email=text_of(traits.get("email")),
        phone=text_of(traits.get("phone")),
        external=(system, id_there) if system and id_there else None,
    )


def _company(event: Mapping[str, object], event_type: str, traits: Mapping[str, object]) -> Company:
    if event_type == "group":
        return company_of(mapping_of(event.get("traits")), group_id=text_of(event.get("groupId")))
    return company_of(traits)


def _touch(context: Mapping[str, object], properties: Mapping[str, object]) -> Touch:
    page, campaign = mapping_of(context.get("page")), mapping_of(context.get("campaign"))
    url = text_of(properties.get("url")) or text_of(page.get("url"))
    source = text_of(campaign.get("source"))
    clicked = None if source else clicked_source(campaign)
    return Touch(
        url=url or _path(properties) or _path(page),
        referrer=text_of(properties.get("referrer")) or text_of(page.get("referrer")),
        traffic_source=source or clicked,
        medium=text_of(campaign.get("medium")) or ("cpc" if clicked else None),
        campaign=text_of(campaign.get("name")) or text_of(properties.get("campaign")),
        asset=text_of(properties.get("asset")) or text_of(properties.get("form_id")),
        link=text_of(properties.get("link")),
        message=text_of(properties.get("message_id")),
        user_agent=text_of(context.get("userAgent")),
    )


def _path(page: Mapping[str, object]) -> str | None:
    path = text_of(page.get("path"))
    return None if path is None else path + (text_of(page.get("search")) or "")
