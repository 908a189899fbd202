"""PostHog: its capture API, single events and batches, of servers and of browsers.

Source: PostHog's public documentation of its capture API, and requests of its unmodified libraries. Browsers send gzip
without saying so, or, when the page is left, base64 in a form. A `distinct_id` is an anonymous id or a user's: the
event says which (`$is_identified`, `$device_id`), and what a server sends names a user. Events beginning with `$` that
stand in no table are `custom`.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final
from urllib.parse import parse_qs

import orjson

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.activity import clicked_source
from services.ingest.domain.fields import (
    company_of,
    fingerprint_of,
    mapping_of,
    moment_of,
    number_of,
    profile_of,
    text_of,
    unix_millis_moment,
)
from services.ingest.domain.observation import Company, Observation, Operation, Parsed, Person, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import TooLarge, Unreadable
from shared.senders import InboundRequest, Proof, Reply

SENDER: str = "posthog"
TITLE: str = "PostHog"
SETUP: tuple[str, ...] = (
    "Set the library's host (`api_host`, `host`) to {url}.",
    "Use {key} as its project API key (token).",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(200, b'{"success": true, "status": 1}', "application/json")
KEPT_HEADERS: tuple[str, ...] = ("content-type", "content-encoding")
KINDS: Mapping[str, str] = {
    "$pageview": "page_view",
    "$screen": "page_view",
    "$identify": "identify",
    "$set": "identify",
    "$groupidentify": "group",
    "$create_alias": "alias",
}
STATUSES: tuple[str, ...] = ()
_NAMES: Final = ("batch", "capture", "e", "i/v0/e")
PATHS: Mapping[str, str] = {f"/{name}{end}": "POST" for name in _NAMES for end in ("/", "")}
HAS_CREDENTIALS: bool = False

_ID_BYTES_MAX: Final = 256
_KEYS_LOOKED_FOR: Final = 10  # events of an array that may say the key, should the first be unreadable
_PERSON_GROUPS: Final = ("company", "organization", "account")
"""Kinds of groups that are a person's company; of other groups we know nothing."""
_OPERATIONS: Final = {one.value: one for one in (Operation.IDENTIFY, Operation.GROUP, Operation.ALIAS)}
_TRIPLE: Final = ("utm_source", "utm_medium", "utm_campaign")
_ABOUT_IT: Final = frozenset({"token", "uuid", "distinct_id", "alias"})  # who and which, not what
_FORM_FIELDS: Final = ("email", "phone", "first_name", "last_name", "name", "title", "job_title", "company")


def hint(request: InboundRequest) -> str | None:
    """The person of a single event."""
    try:
        return outline(request).hint
    except (Unreadable, TooLarge):
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Never: the project key proves the source, and the door checks that."""
    return False


def outline(request: InboundRequest) -> Outline:
    """Number of events, those refused, the key wherever it stands, and of one event the person."""
    raws, beside, is_single = _split(request)
    read = [_read(raw, index) for index, raw in enumerate(raws)]
    events = [one for one in read if not isinstance(one, Refusal)]
    refusals = tuple(one for one in read if isinstance(one, Refusal))
    person = _distinct_id(events[0]) if len(read) == len(events) == 1 else None
    return Outline(len(raws), refusals, person, _key(beside, raws), is_single=is_single)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """All events of the body in its order."""
    raws, beside, _ = _split(request)
    sent_at = moment_of(beside.get("sent_at")) or unix_millis_moment(_first(request.query, "_"))
    observations, refusals = [], []
    for index, raw in enumerate(raws):
        event = _read(raw, index)
        if isinstance(event, Refusal):
            refusals.append(event)
        else:
            observations.append(_observation(event, raw, index, sent_at))
    return Parsed(tuple(observations), tuple(refusals))


def _split(request: InboundRequest) -> tuple[tuple[bytes, ...], Mapping[str, object], bool]:
    """The raw events, what stands beside them, and whether it is one event alone."""
    plain = bodies.plain(request.body, encoding=request.headers.get("content-encoding", ""), sniffs_gzip=True)
    if plain.startswith(b"data="):
        plain = _from_form(plain)
    if plain.lstrip()[:1] == b"[":
        return bodies.split_array(plain), {}, False
    fields = bodies.split_object(plain)
    if "batch" not in fields:
        return (plain,), {}, True
    beside = {name: bodies.read_json(fields[name]) for name in ("api_key", "token", "sent_at") if name in fields}
    try:
        return bodies.split_array(fields["batch"]), beside, False
    except Unreadable as error:
        raise Unreadable('"batch" must be an array of events.', slug="not_a_batch") from error


def _from_form(plain: bytes) -> bytes:
    """The JSON in the field `data` of a form, which is base64. Raises Unreadable."""
    try:
        return bodies.utf8(base64.b64decode(_first(plain.decode(), "data") or "", validate=True))
    except (binascii.Error, ValueError) as error:
        raise Unreadable("The form's field `data` is not base64 of JSON.", slug="bad_base64") from error


def _first(query: str, name: str) -> str | None:
    try:
        return next(iter(parse_qs(query, max_num_fields=100).get(name, ())), None)
    except ValueError:
        return None


def _key(beside: Mapping[str, object], raws: Sequence[bytes]) -> str | None:
    """The project key: beside the batch, in a single event, or among the properties of the first that can be read."""
    for said in chain((beside,), (_plainly(raw) for raw in raws[:_KEYS_LOOKED_FOR])):
        properties = mapping_of(said.get("properties"))
        key = text_of(said.get("api_key")) or text_of(said.get("token")) or text_of(properties.get("token"))
        if key:
            return key
    return None


def _plainly(raw: bytes) -> Mapping[str, object]:
    """An event that may be refused, only to find its key: who sent it is told why."""
    try:
        return bodies.read_event(raw)
    except Unreadable:
        pass
    try:
        return mapping_of(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return {}


def _read(raw: bytes, index: int) -> Mapping[str, object] | Refusal:
    try:
        event = bodies.read_event(raw)
    except Unreadable as error:
        return Refusal(index, error.problem, detail=error.detail)
    event_id = _said_id(event)
    if event_id is not None and (not isinstance(event_id, str) or len(event_id.encode()) > _ID_BYTES_MAX):
        return Refusal(index, "message_id", detail="uuid must be a text of at most 256 bytes.")
    if text_of(event.get("event")) is None:
        return Refusal(index, "unknown_type", event_id, "Send the name of the event as `event`.")
    if _distinct_id(event) is None:
        return Refusal(index, "no_person", event_id, "Send distinct_id.")
    return event


def _said_id(event: Mapping[str, object]) -> object:
    properties = mapping_of(event.get("properties"))
    return next((one for one in (event.get("uuid"), properties.get("uuid"), properties.get("$insert_id")) if one), None)


def _distinct_id(event: Mapping[str, object]) -> str | None:
    properties = mapping_of(event.get("properties"))
    return next(
        (
            text
            for said in (event.get("distinct_id"), properties.get("distinct_id"), properties.get("$distinct_id"))
            if (text := text_of(said))
        ),
        None,
    )


def _observation(event: Mapping[str, object], raw: bytes, index: int, sent_at: datetime | None) -> Observation:
    name = text_of(event.get("event")) or ""
    properties = mapping_of(event.get("properties"))
    kind = KINDS.get(name)
    operation = _OPERATIONS.get(kind or "", Operation.ACTIVITY)
    own = {key: one for key, one in properties.items() if not key.startswith("$") and key not in _ABOUT_IT}
    traits = {**_traits(event, "$set_once"), **_traits(event, "$set")}
    said = {**traits, **_form(own)}
    return Observation(
        operation=operation,
        event_id=text_of(_said_id(event)),
        kind=kind if operation is Operation.ACTIVITY else None,
        name=name,
        person=_person(event, properties, name, said),
        timestamp=_timestamp(event, sent_at),
        sent_at=sent_at,
        traits=profile_of(said),
        company=_company(properties, said, is_group=operation is Operation.GROUP),
        touch=_touch(properties),
        texts=Texts(answers=mapping_of(own.get("answers"))),
        properties=own,
        index=index,
        fingerprint=fingerprint_of(raw),
    )


def _form(own: Mapping[str, object]) -> dict[str, object]:
    """What a form tells of the person who filled it in: its answers come as properties, the e-mail among them."""
    return {name: own[name] for name in _FORM_FIELDS if name in own} if text_of(own.get("email")) else {}


def _traits(event: Mapping[str, object], name: str) -> Mapping[str, object]:
    return mapping_of(event.get(name)) or mapping_of(mapping_of(event.get("properties")).get(name))


def _timestamp(event: Mapping[str, object], sent_at: datetime | None) -> datetime | None:
    """Its time; older libraries say how many milliseconds before sending instead."""
    offset = number_of(event.get("offset"))
    if moment_of(event.get("timestamp")) is None and offset is not None and sent_at is not None:
        return sent_at - timedelta(milliseconds=min(max(offset, 0), 86_400_000))
    return moment_of(event.get("timestamp"))


def _person(
    event: Mapping[str, object], properties: Mapping[str, object], name: str, said: Mapping[str, object]
) -> Person:
    distinct_id = _distinct_id(event)
    email, phone = text_of(said.get("email")), text_of(said.get("phone"))
    if name == "$create_alias":
        return Person(anonymous_id=distinct_id, user_id=text_of(properties.get("alias")))
    device_id = text_of(properties.get("$device_id"))
    if name == "$groupidentify" and device_id is None:
        return Person()  # a server names a group there, and draws an id that nobody has
    if not _is_identified(properties, distinct_id, device_id):
        return Person(anonymous_id=distinct_id, email=email, phone=phone)
    before = text_of(properties.get("$anon_distinct_id")) or device_id
    return Person(anonymous_id=before, user_id=distinct_id, email=email, phone=phone)


def _is_identified(properties: Mapping[str, object], distinct_id: str | None, device_id: str | None) -> bool:
    """Whether the distinct id is a user's: as the library says, else by what it knows of the device."""
    said = properties.get("$is_identified")
    if isinstance(said, bool):
        return said
    return distinct_id != device_id and properties.get("$process_person_profile") is not False


def _company(properties: Mapping[str, object], said: Mapping[str, object], *, is_group: bool) -> Company:
    if is_group:
        named = text_of(properties.get("$group_type")) in _PERSON_GROUPS
        group_id = text_of(properties.get("$group_key")) if named else None
        return company_of(mapping_of(properties.get("$group_set")), group_id=group_id) if group_id else Company()
    groups = mapping_of(properties.get("$groups"))
    group_id = next((text for kind in _PERSON_GROUPS if (text := text_of(groups.get(kind)))), None)
    stated = company_of(said)
    if group_id is None or stated.external is not None:
        return stated
    return Company(stated.name, stated.domain, ("group", group_id), stated.industry, stated.employees, stated.country)


def _touch(properties: Mapping[str, object]) -> Touch:
    referrer = text_of(properties.get("$referrer"))
    source, medium, campaign = (text_of(properties.get(name)) for name in _TRIPLE)
    clicked = None if source else clicked_source(properties)
    return Touch(
        url=text_of(properties.get("$current_url")) or text_of(properties.get("url")),
        referrer=None if referrer == "$direct" else referrer,
        traffic_source=source or clicked,
        medium=medium or ("cpc" if clicked else None),
        campaign=campaign or text_of(properties.get("campaign")),
        asset=text_of(properties.get("asset")) or text_of(properties.get("form_id")),
        link=text_of(properties.get("link")) or text_of(properties.get("$external_click_url")),
        user_agent=text_of(properties.get("$raw_user_agent")) or text_of(properties.get("$useragent")),
        machine_reason="browser_type" if properties.get("$browser_type") == "bot" else None,
    )
