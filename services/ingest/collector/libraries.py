"""What client libraries ask for before they send, or send besides: settings, flags, debug answers, own metrics.

The bodies are the least that makes each unmodified library send to us. Nothing here is kept. While the directory is
stale a key is answered as if it were known: a page must not lose its visit because we cannot look.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope

from services.ingest.adapters import ADAPTERS
from services.ingest.collector.answers import Refused, Response
from services.ingest.collector.desk import Desk, check_encoding, outlined, request_of
from services.ingest.collector.wire import WEBHOOK_BYTES_MAX, client_network, read_body
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import mapping_of, text_of
from shared import clock
from shared.errors import AppError, FieldError
from shared.ids import derived_id
from shared.senders import basic_credentials

__all__ = ["answer", "methods"]

_METRICS: Final = "/v1/m"  # Segment's browser library counts itself here; nobody reads it
_DEBUG: Final = "/debug/mp/collect"
_RUDDER: Final = ("/sourceConfig", "/sourceConfig/")
_FLAGS: Final = ("/flags", "/flags/", "/decide", "/decide/")
_FLAGS_BYTES_MAX: Final = 64 * 1024  # also unpacked: a key and what is known of one person, read before any proof
_SEGMENT_START, _SEGMENT_END = "/v1/projects/", "/settings"
_POSTHOG_START, _POSTHOG_END = "/array/", "/config"
_JSON: Final = (b"content-type", b"application/json")
_CACHED: Final = (b"cache-control", b"public, max-age=300")
_POSTHOG: Final = orjson.dumps(
    {
        "config": {"enable_collect_everything": False},
        "featureFlags": {},
        "sessionRecording": False,
        "supportedCompression": ["gzip", "gzip-js"],
    }
)
_NO_STATISTICS: Final = {"errors": {"enabled": False}, "metrics": {"enabled": False}}


def methods(path: str) -> tuple[str, ...]:
    """What is taken at a path beside OPTIONS; () for a path that no library asks for."""
    if path in {_METRICS, _DEBUG, *_FLAGS}:
        return ("POST",)
    is_settings = path in _RUDDER or _key_between(path, _SEGMENT_START, _SEGMENT_END) is not None
    return ("GET",) if is_settings or _key_between(path, _POSTHOG_START, _POSTHOG_END) is not None else ()


async def answer(desk: Desk, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
    """Answer one request of a path that `methods` knows. Raises Refused."""
    path: str = scope["path"]
    if path == _METRICS:
        await read_body(receive, headers, bytes_max=WEBHOOK_BYTES_MAX)
        return Response(200)
    if path == _DEBUG:
        return await _validated(desk, scope, receive, headers)
    if path in _FLAGS:
        return await _flags(desk, scope, receive, headers)
    if path in _RUDDER:
        return _rudder_settings(desk, scope, headers)
    key = _key_between(path, _POSTHOG_START, _POSTHOG_END)
    if key is not None:
        _check_key(desk, key)
        return Response(200, _POSTHOG, (_JSON, _CACHED))
    return _segment_settings(desk, _key_between(path, _SEGMENT_START, _SEGMENT_END) or "")


def _key_between(path: str, start: str, end: str) -> str | None:
    """The write key between these parts of a path, or None for another path."""
    if not path.startswith(start) or not path.endswith(end):
        return None
    key = path[len(start) : -len(end)]
    return key if key and "/" not in key else None


def _check_key(desk: Desk, key: str | None, *, who: str | None = None) -> None:
    """Raise Refused 401 for a key that certainly does not exist."""
    if (key is None or desk.directory.by_key(key) is None) and desk.directory.is_fresh(clock.monotonic()):
        field = FieldError("path", "unknown", "the write key asked about is unknown or expired")
        raise desk.unproven("Put a valid browser key of your source into the page.", field, who=who)


def _segment_settings(desk: Desk, key: str) -> Response:
    """What Segment's browser library fetches first; it then uses the key and the host of this answer."""
    _check_key(desk, key)
    protocol, _, host = desk.public_url.partition("://")
    segment = {
        "apiKey": key,
        "apiHost": f"{host.rstrip('/')}/v1",
        "protocol": protocol,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
    }
    plan = {"track": {"__default": {"enabled": True, "integrations": {}}}}
    body = {"integrations": {"Segment.io": segment}, "plan": plan}
    return Response(200, orjson.dumps(body), (_JSON, _CACHED))


def _rudder_settings(desk: Desk, scope: Scope, headers: Mapping[str, str]) -> Response:
    """What RudderStack's browser library fetches first: a source without destinations and without statistics."""
    credentials = basic_credentials(headers.get("authorization", ""))
    key = credentials[0] if credentials else _asked_key(scope["query_string"].decode("latin-1"))
    _check_key(desk, key)
    named = str(derived_id("library settings", key or ""))
    source: dict[str, object] = {
        "id": named,
        "name": "Baton",
        "writeKey": key,
        "enabled": True,
        "workspaceId": named,
        "destinations": [],
        "config": {"statsCollection": _NO_STATISTICS},
        "connections": [],
    }
    return Response(200, orjson.dumps({"source": source, "isHosted": True}), (_JSON, _CACHED))


def _asked_key(query: str) -> str | None:
    try:
        return next(iter(parse_qs(query, max_num_fields=100).get("writeKey", ())), None)
    except ValueError:
        return None


async def _flags(desk: Desk, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
    """PostHog's flags: there are none; the key stands in a body that may be gzip without saying so."""
    check_encoding(headers)
    network = client_network(scope)
    desk.check_unproven(network)
    body = await read_body(receive, headers, bytes_max=_FLAGS_BYTES_MAX)
    try:
        is_packed = headers.get("content-encoding", "").strip().lower() == "gzip" or bodies.is_gzip(body)
        plain = bodies.utf8(bodies.gunzipped(body, bytes_max=_FLAGS_BYTES_MAX) if is_packed else body)
        said = mapping_of(bodies.read_json(plain))
    except AppError as error:
        raise Refused(error.status, error.problem, error.detail) from error
    _check_key(desk, text_of(said.get("token")) or text_of(said.get("api_key")), who=network)
    return Response(200, _POSTHOG, (_JSON,))


async def _validated(desk: Desk, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
    """What is wrong with a request of the Measurement Protocol; like the original, this path keeps nothing."""
    network = client_network(scope)
    desk.check_unproven(network)
    desk.rates.count("unproven", network)  # nobody proves anything here
    body = await read_body(receive, headers, bytes_max=WEBHOOK_BYTES_MAX)
    request = request_of(scope, headers, body, public_url=desk.public_url)
    try:
        outline = await outlined(ADAPTERS["ga4"], request)
        wrong = [{"fieldPath": f"events[{one.index}]", "description": one.detail} for one in outline.refusals]
    except Refused as error:
        wrong = [{"fieldPath": "", "description": error.detail}]
    messages = [{**one, "validationCode": "VALUE_INVALID"} for one in wrong]
    return Response(200, orjson.dumps({"validationMessages": messages}), (_JSON,))
