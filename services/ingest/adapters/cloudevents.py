"""CloudEvents 1.0 over HTTP: binary, structured and batch.

Source: CloudEvents specification 1.0, JSON format and HTTP binding. The last part of `type` before an optional `.v<n>`
names our kind (`baton.webinar_attended`, `com.acme.call_connected.v1`) or an operation (`identify`, `group`,
`consent`); any other type is `custom` under its full name. `data` holds the person (`email user_id anonymous_id phone
external_system external_id`), `traits`, `properties`, `url`, `referrer`, `campaign`, `traffic_source`, `medium`,
`asset`, `message_id`, `direction`, `actor_user_id`, `duration_seconds`, `subject`, `text`.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote
from uuid import UUID

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.fields import (
    company_of,
    consents_of,
    fingerprint_of,
    mapping_of,
    moment_of,
    number_of,
    profile_of,
    text_of,
)
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import TooLarge, Unreadable
from shared.senders import InboundRequest, Proof, Reply

SENDER: str = "cloudevents"
TITLE: str = "CloudEvents"
SETUP: tuple[str, ...] = (
    "POST CloudEvents 1.0 (binary, structured or batch) to {url}.",
    "Send `Authorization: Bearer {key}`.",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(202, b'{"success": true}', "application/json")
KEPT_HEADERS: tuple[str, ...] = (
    "content-type", "content-encoding",
    "ce-id", "ce-source", "ce-specversion", "ce-type", "ce-time", "ce-subject", "ce-dataschema",
)  # fmt: skip
KINDS: Mapping[str, str] = {kind: kind for kind in CHANNELS}
STATUSES: tuple[str, ...] = ()
PATHS: Mapping[str, str] = {"/v1/events": "POST"}
HAS_CREDENTIALS: bool = False

ID_BYTES_MAX: Final = 1024  # source and id together; longer ones are no ids
_OPERATIONS: Final[Mapping[str, Operation]] = {
    "identify": Operation.IDENTIFY,
    "group": Operation.GROUP,
    "consent": Operation.CONSENT,
}
_VERSION: Final = re.compile(r"\.v[0-9]+$")
_REQUIRED: Final = ("id", "source", "specversion", "type")
_STRUCTURED, _BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"


def hint(request: InboundRequest) -> str | None:
    """The person of a single event."""
    try:
        events = _events(request)
    except (Unreadable, TooLarge):
        return None
    data = mapping_of(events[0].get("data")) if len(events) == 1 else {}
    return text_of(data.get("email")) or text_of(data.get("user_id")) or text_of(data.get("anonymous_id"))


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Never: a server key proves the source, and the door checks that."""
    return False


def outline(request: InboundRequest) -> Outline:
    """Number of events, and those without a required attribute."""
    raws = _raw_events(request)
    refusals = [problem for index, raw in enumerate(raws) if isinstance(problem := _read(request, raw, index), Refusal)]
    person = hint(request) if len(raws) == 1 else None
    return Outline(len(raws), tuple(refusals), person, is_single=_media_type(request) != _BATCHED)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per event, in the order of the batch."""
    observations, refusals = [], []
    for index, raw in enumerate(_raw_events(request)):
        event = _read(request, raw, index)
        if isinstance(event, Refusal):
            refusals.append(event)
        else:
            observations.append(_observation(event, raw, index))
    return Parsed(tuple(observations), tuple(refusals))


def _events(request: InboundRequest) -> list[Mapping[str, object]]:
    read = (_read(request, raw, 0) for raw in _raw_events(request))
    return [event for event in read if not isinstance(event, Refusal)]


def _media_type(request: InboundRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _raw_events(request: InboundRequest) -> tuple[bytes, ...]:
    is_packed = request.headers.get("content-encoding", "").strip().lower() == "gzip"
    plain = bodies.utf8(bodies.gunzipped(request.body) if is_packed else request.body)
    return bodies.split_array(plain) if _media_type(request) == _BATCHED else (plain,)


def _read(request: InboundRequest, raw: bytes, index: int) -> Mapping[str, object] | Refusal:
    """One event as attributes with `data`, whichever mode it came in."""
    try:
        if _media_type(request) in {_STRUCTURED, _BATCHED}:
            event = bodies.read_event(raw)
        else:
            event = {**_header_attributes(request), "data": bodies.read_json(raw) if raw else {}}
        event = _with_data(event)
    except Unreadable as error:
        return Refusal(index, error.problem, detail=error.detail)
    missing = [name for name in _REQUIRED if not isinstance(event.get(name), str) or not event[name]]
    event_id = text_of(event.get("id"))
    if missing:
        return Refusal(index, "attribute_missing", event_id, f"Send the attribute {missing[0]} as a text.")
    if event["specversion"] != "1.0":
        return Refusal(index, "specversion", event_id, "Send CloudEvents 1.0.")
    if len(_event_id(event).encode()) > ID_BYTES_MAX:
        return Refusal(index, "message_id", detail="source and id may have 1,024 bytes together.")
    return event


def _header_attributes(request: InboundRequest) -> dict[str, object]:
    """The attributes of binary mode; values are percent-encoded UTF-8."""
    return {name[3:]: unquote(value) for name, value in request.headers.items() if name.startswith("ce-")}


def _with_data(event: Mapping[str, object]) -> Mapping[str, object]:
    encoded = event.get("data_base64")
    if not isinstance(encoded, str):
        return event
    try:
        return {**event, "data": bodies.read_json(base64.b64decode(encoded, validate=True))}
    except (binascii.Error, ValueError) as error:
        raise Unreadable("data_base64 is not base64.", slug="bad_base64") from error


def _event_id(event: Mapping[str, object]) -> str:
    return f"{event['source']}\x1f{event['id']}"


def _observation(event: Mapping[str, object], raw: bytes, index: int) -> Observation:
    data = mapping_of(event.get("data"))
    last = _VERSION.sub("", str(event["type"])).rpartition(".")[2]
    operation = _OPERATIONS.get(last, Operation.ACTIVITY)
    traits = mapping_of(data.get("traits"))
    said = {**traits, **{name: data[name] for name in ("email", "phone") if name in data}}
    consent = {name: value for name, value in {**traits, **data}.items() if name.startswith("consent")}
    return Observation(
        operation=operation,
        event_id=_event_id(event),
        kind=KINDS.get(last),
        name=str(event["type"]),
        person=_person(data),
        timestamp=moment_of(event.get("time")),
        direction="sales" if text_of(data.get("direction")) == "sales" else "marketing",
        actor_user_id=_uuid(data.get("actor_user_id")),
        traits=profile_of(said),
        company=company_of(
            mapping_of(data.get("company")) or traits if operation is Operation.GROUP else {**traits, **_company(data)},
            group_id=text_of(data.get("group_id")) if operation is Operation.GROUP else None,
        ),
        touch=_touch(data),
        texts=Texts(
            recipient=text_of(data.get("recipient")),
            subject=text_of(data.get("subject")),
            text=text_of(data.get("text")),
            answers=mapping_of(data.get("answers")),
        ),
        consents=consents_of(consent, is_own_act=data.get("is_own_act") is True),
        properties=mapping_of(data.get("properties")),
        entry_channel=text_of(data.get("entry_channel")),
        index=index,
        fingerprint=fingerprint_of(raw),
    )


def _person(data: Mapping[str, object]) -> Person:
    system, id_there = text_of(data.get("external_system")), text_of(data.get("external_id"))
    return Person(
        anonymous_id=text_of(data.get("anonymous_id")),
        user_id=text_of(data.get("user_id")),
        email=text_of(data.get("email")),
        phone=text_of(data.get("phone")),
        external=(system, id_there) if system and id_there else None,
    )


def _company(data: Mapping[str, object]) -> dict[str, object]:
    return {"company": data["company"]} if "company" in data else {}


def _touch(data: Mapping[str, object]) -> Touch:
    return Touch(
        url=text_of(data.get("url")),
        referrer=text_of(data.get("referrer")),
        traffic_source=text_of(data.get("traffic_source")),
        medium=text_of(data.get("medium")),
        campaign=text_of(data.get("campaign")),
        asset=text_of(data.get("asset")),
        link=text_of(data.get("link")),
        message=text_of(data.get("message_id")),
        user_agent=text_of(data.get("user_agent")),
        is_hard=data["is_hard"] if isinstance(data.get("is_hard"), bool) else None,  # type: ignore[arg-type]  # just checked
        duration_seconds=number_of(data.get("duration_seconds")),
    )


def _uuid(value: object) -> str | None:
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None
