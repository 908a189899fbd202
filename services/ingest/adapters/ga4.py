"""Google Analytics 4: the Measurement Protocol, as tag managers and servers send it.

Source: Google's public "Measurement Protocol (Google Analytics 4)" documentation. The original answers 2xx to all it
received, so this does too; the first 25 events of a request are kept and the rest is counted as refused. Events carry
no ids: the request's time, the event's place and its content tell a repeat. `campaign_details` says where the visit
came from, for all events of its request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, mapping_of, number_of, text_of
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Refusal, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import TooLarge, Unreadable
from shared.senders import InboundRequest, Proof, Reply

SENDER: str = "ga4"
TITLE: str = "Google Analytics 4 (Measurement Protocol)"
SETUP: tuple[str, ...] = (
    "Let the server container or the sending code post to {url}/mp/collect instead of the original host.",
    "Use {key} as `api_secret`; any `measurement_id` is taken.",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(204)
KEPT_HEADERS: tuple[str, ...] = ("content-type", "content-encoding")
KINDS: Mapping[str, str] = {
    "page_view": "page_view",
    "screen_view": "page_view",
    "generate_lead": "form_submit",
    "file_download": "download",
}
STATUSES: tuple[str, ...] = ()
PATHS: Mapping[str, str] = {"/mp/collect": "POST"}
HAS_CREDENTIALS: bool = False

_EVENTS_MAX: Final = 25
_BODY_BYTES_MAX: Final = 130_000
_MICROS_MAX: Final = 4_102_444_800_000_000  # the year 2100


def hint(request: InboundRequest) -> str | None:
    """The visitor all events of a request are of."""
    try:
        return outline(request).hint
    except (Unreadable, TooLarge):
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Never: `api_secret` proves the source, and the door checks that."""
    return False


def outline(request: InboundRequest) -> Outline:
    """Number of events, those refused, the visitor, and the key of the query."""
    raws, said = _split(request)
    refusals = [refusal for index, raw in enumerate(raws) if isinstance(refusal := _read(raw, index), Refusal)]
    person = _person(said)
    try:
        key = next(iter(parse_qs(request.query, max_num_fields=100).get("api_secret", ())), None)
    except ValueError:
        key = None
    return Outline(len(raws), tuple(refusals), person.user_id or person.anonymous_id, key)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """The first 25 events in the order of the request."""
    raws, said = _split(request)
    read = [_read(raw, index) for index, raw in enumerate(raws)]
    events = [(index, one) for index, one in enumerate(read) if not isinstance(one, Refusal)]
    details = next((mapping_of(one.get("params")) for _, one in events if one["name"] == "campaign_details"), {})
    observations = [_observation(one, said, details, index=index, raw=raws[index]) for index, one in events]
    return Parsed(tuple(observations), tuple(one for one in read if isinstance(one, Refusal)))


def _split(request: InboundRequest) -> tuple[tuple[bytes, ...], Mapping[str, object]]:
    """The raw events, and what the request says of all of them."""
    plain = bodies.plain(request.body, encoding=request.headers.get("content-encoding", ""))
    if len(plain) > _BODY_BYTES_MAX:
        raise TooLarge("A request may hold at most 130 kB.")
    fields = bodies.split_object(plain)
    if "events" not in fields:
        raise Unreadable('The body must be an object whose "events" is an array.', slug="not_a_batch")
    names = ("client_id", "app_instance_id", "user_id", "timestamp_micros", "user_agent")
    said = {name: bodies.read_json(fields[name]) for name in names if name in fields}
    return bodies.split_array(fields["events"]), said


def _read(raw: bytes, index: int) -> Mapping[str, object] | Refusal:
    if index >= _EVENTS_MAX:
        return Refusal(index, "too_many_events", detail="A request may hold 25 events.")
    try:
        event = bodies.read_event(raw)
    except Unreadable as error:
        return Refusal(index, error.problem, detail=error.detail)
    if text_of(event.get("name")) is None:
        return Refusal(index, "unknown_type", detail="Send the name of the event as `name`.")
    return event


def _person(said: Mapping[str, object]) -> Person:
    visitor = text_of(said.get("client_id")) or text_of(said.get("app_instance_id"))
    return Person(anonymous_id=visitor, user_id=text_of(said.get("user_id")))


def _observation(
    event: Mapping[str, object], said: Mapping[str, object], details: Mapping[str, object], *, index: int, raw: bytes
) -> Observation:
    name, params = str(event["name"]), mapping_of(event.get("params"))
    person = _person(said)
    whose = f"\x1f{person.user_id}\x1f{person.anonymous_id}\x1f{index}".encode()
    return Observation(
        operation=Operation.ACTIVITY,
        kind=KINDS.get(name),
        name=name,
        person=person,
        timestamp=_moment(event.get("timestamp_micros")) or _moment(said.get("timestamp_micros")),
        touch=_touch(params, details, user_agent=text_of(said.get("user_agent"))),
        properties=params,
        index=index,
        fingerprint=fingerprint_of(raw + whose),
    )


def _moment(value: object) -> datetime | None:
    """A time in microseconds since 1970, as number or text."""
    text = text_of(value) or ""
    micros = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else number_of(value)
    if micros is None or not 0 < micros < _MICROS_MAX:
        return None
    return datetime.fromtimestamp(micros // 1_000_000, UTC) + timedelta(microseconds=micros % 1_000_000)


def _touch(params: Mapping[str, object], details: Mapping[str, object], *, user_agent: str | None) -> Touch:
    def said(*names: str) -> str | None:
        values = (text_of(one.get(name)) for one in (params, details) for name in names)
        return next((value for value in values if value), None)

    link = text_of(params.get("link_url"))
    return Touch(
        url=text_of(params.get("page_location")),
        referrer=text_of(params.get("page_referrer")),
        traffic_source=said("source", "campaign_source"),
        medium=said("medium", "campaign_medium"),
        campaign=said("campaign", "campaign_name"),
        asset=text_of(params.get("form_id")) or text_of(params.get("file_name")),
        link=link,
        user_agent=user_agent,
    )
