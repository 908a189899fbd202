"""Snowplow: its tracker protocol, by POST (`payload_data`) and by GET, of servers and of browsers.

Source: Snowplow's public documentation of the tracker protocol, its public schemas (Iglu Central), and requests of its
unmodified trackers. Trackers send no key: the name an application gives itself (`aid`), its web origin and the host it
calls choose the source, and what comes so is as public as what a browser key proves. All values are texts; nested JSON
is plain (`ue_pr`) or url-safe base64 (`ue_px`), padded or not. A structured event is named by its category and action.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, mapping_of, profile_of, text_of, unix_millis_moment
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import TooLarge, Unreadable
from shared.senders import InboundRequest, Proof, Reply

_PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

SENDER: str = "snowplow"
TITLE: str = "Snowplow"
SETUP: tuple[str, ...] = (
    "Set the tracker's collector endpoint to {url}.",
    "Give the source the option `app_id`: the `appId` your trackers send; or use {key} as their `appId`.",
    "List the web origins of your pages on the source.",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(200, _PIXEL, "image/gif")
KEPT_HEADERS: tuple[str, ...] = ("content-type", "content-encoding")
KINDS: Mapping[str, str] = {
    "pv": "page_view",
    "se content/download": "download",
    "ue submit_form": "form_submit",
    "ue link_click": "download",
}
"""A link click is a download only when the link ends like a file."""
STATUSES: tuple[str, ...] = ()
_POST_PATH: Final = "/com.snowplowanalytics.snowplow/tp2"
PATHS: Mapping[str, str] = {_POST_PATH: "POST", "/i": "GET"}
HAS_CREDENTIALS: bool = True

_ID_BYTES_MAX: Final = 256
_FIELDS_MAX: Final = 200
_TYPES: Final = frozenset({"pv", "pp", "se", "ue", "tr", "ti"})
_NAMES: Final[Mapping[str, str]] = {"pp": "page ping", "tr": "transaction", "ti": "transaction item"}
_FILE_ENDS: Final = frozenset(
    {
        ".pdf", ".zip", ".csv", ".xlsx", ".xls", ".docx", ".doc", ".pptx", ".ppt", ".key", ".epub",
        ".dmg", ".exe", ".msi", ".deb", ".rpm", ".gz", ".tgz", ".7z", ".mp3", ".mp4", ".mov", ".txt",
    }
)  # fmt: skip


def hint(request: InboundRequest) -> str | None:
    """The person of a single event."""
    try:
        return outline(request).hint
    except (Unreadable, TooLarge):
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Never: the application's name chooses the source, and the door looks it up."""
    return False


def outline(request: InboundRequest) -> Outline:
    """Number of events, those refused, the application's name, and of one event the person."""
    raws = _raw_events(request)
    read = [_read(raw, index) for index, raw in enumerate(raws)]
    events = [one for one in read if not isinstance(one, Refusal)]
    app = next((text for one in events if (text := text_of(one.get("aid")))), None)
    person = _person(events[0]) if len(read) == len(events) == 1 else Person()
    return Outline(
        len(raws),
        tuple(one for one in read if isinstance(one, Refusal)),
        person.user_id or person.anonymous_id,
        app,
        app=app or "",
        is_single=request.method == "GET",
    )


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """All events of the request in its order."""
    observations, refusals = [], []
    for index, raw in enumerate(_raw_events(request)):
        event = _read(raw, index)
        if isinstance(event, Refusal):
            refusals.append(event)
        else:
            observations.append(_observation(event, raw, index))
    return Parsed(tuple(observations), tuple(refusals))


def _raw_events(request: InboundRequest) -> tuple[bytes, ...]:
    if request.method == "GET":
        return (_from_query(request.query),)
    fields = bodies.split_object(bodies.plain(request.body, encoding=request.headers.get("content-encoding", "")))
    if "data" not in fields:
        raise Unreadable('The body must be an object whose "data" is an array of events.', slug="not_a_batch")
    try:
        return bodies.split_array(fields["data"])
    except Unreadable as error:
        raise Unreadable('"data" must be an array of events.', slug="not_a_batch") from error


def _from_query(query: str) -> bytes:
    """A query as the JSON object it stands for. Raises Unreadable."""
    try:
        fields = dict(parse_qsl(query, max_num_fields=_FIELDS_MAX, errors="replace"))
    except ValueError as error:
        raise Unreadable("The query holds too many fields.", slug="too_many_keys") from error
    return orjson.dumps(fields)


def _read(raw: bytes, index: int) -> Mapping[str, object] | Refusal:
    try:
        event = bodies.read_event(raw)
    except Unreadable as error:
        return Refusal(index, error.problem, detail=error.detail)
    event_id = event.get("eid")
    if event_id is not None and (not isinstance(event_id, str) or len(event_id.encode()) > _ID_BYTES_MAX):
        return Refusal(index, "message_id", detail="eid must be a text of at most 256 bytes.")
    if text_of(event.get("e")) not in _TYPES:
        return Refusal(index, "unknown_type", event_id, "e must be pv, pp, se, ue, tr or ti.")
    return event


def _observation(event: Mapping[str, object], raw: bytes, index: int) -> Observation:
    schema, said = _described(event)
    rule, name = _named(event, schema)
    form = _form(said) if schema == "submit_form" else {}
    link = text_of(said.get("targetUrl"))
    kind = KINDS.get(rule)
    if schema == "link_click" and not _is_file(link):
        kind = None
    return Observation(
        operation=Operation.ACTIVITY,
        event_id=text_of(event.get("eid")),
        kind=kind,
        name=name,
        person=_person(event, form),
        timestamp=unix_millis_moment(event.get("ttm")) or unix_millis_moment(event.get("dtm")),
        sent_at=unix_millis_moment(event.get("stm")),
        traits=profile_of(form),
        touch=Touch(
            url=text_of(event.get("url")),
            referrer=text_of(event.get("refr")),
            campaign=text_of(event.get("se_pr")) if event.get("e") == "se" else None,
            asset=text_of(event.get("se_la")) or text_of(said.get("formId")),
            link=link,
            user_agent=text_of(event.get("ua")),
        ),
        texts=Texts(answers=form),
        properties=_properties(event, said),
        index=index,
        fingerprint=fingerprint_of(raw),
    )


def _person(event: Mapping[str, object], form: Mapping[str, object] | None = None) -> Person:
    """The user, and the device by the first id it has: of the site's cookie, else of the network's."""
    devices = (text_of(event.get(name)) for name in ("duid", "nuid", "tnuid"))
    answers = form or {}
    return Person(
        anonymous_id=next((one for one in devices if one), None),
        user_id=text_of(event.get("uid")),
        email=text_of(answers.get("email")),
        phone=text_of(answers.get("phone")),
    )


def _named(event: Mapping[str, object], schema: str) -> tuple[str, str | None]:
    """The row of KINDS that may fit, and the event's name for the tables of names."""
    event_type = text_of(event["e"])
    if event_type == "se":
        category, action = text_of(event.get("se_ca")) or "", text_of(event.get("se_ac")) or ""
        return f"se {category}/{action}".lower(), f"{category} {action}".strip() or None
    if event_type == "ue":
        return f"ue {schema}", schema or None
    return event_type or "", _NAMES.get(event_type or "") or text_of(event.get("page"))


def _described(event: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """(name of the schema, data) of a self-describing event; ("", {}) for all others and for what cannot be read."""
    outer = mapping_of(_nested(event, "ue_pr", "ue_px"))
    inner = mapping_of(outer.get("data"))
    parts = (text_of(inner.get("schema")) or "").removeprefix("iglu:").split("/")
    return (parts[1] if len(parts) > 1 else ""), mapping_of(inner.get("data"))


def _nested(event: Mapping[str, object], plain: str, packed: str) -> object:
    """JSON inside a field; None when it is not there or unreadable, for one odd field must not cost the event."""
    text, encoded = text_of(event.get(plain)), text_of(event.get(packed))
    try:
        if text is not None:
            return bodies.read_json(text.encode())
        if encoded is not None:
            padded = encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4)
            return bodies.read_json(bodies.utf8(base64.urlsafe_b64decode(padded)))
    except (Unreadable, binascii.Error, ValueError):
        return None
    return None


def _form(said: Mapping[str, object]) -> dict[str, object]:
    """The answers of a form by the names of its fields; passwords are left out by the tracker itself."""
    elements = said.get("elements")
    answers: dict[str, object] = {}
    for element in elements if isinstance(elements, list) else ():
        field = mapping_of(element)
        name, value = text_of(field.get("name")), text_of(field.get("value"))
        if name and value:
            answers[name] = value
    return answers


def _is_file(link: str | None) -> bool:
    try:
        return PurePosixPath(urlsplit(link or "").path).suffix.lower() in _FILE_ENDS
    except ValueError:
        return False


def _properties(event: Mapping[str, object], said: Mapping[str, object]) -> dict[str, object]:
    structured = {"category": "se_ca", "action": "se_ac", "label": "se_la", "property": "se_pr", "value": "se_va"}
    found = {name: event[key] for name, key in structured.items() if key in event}
    return {**found, **{name: one for name, one in said.items() if name != "elements"}}
