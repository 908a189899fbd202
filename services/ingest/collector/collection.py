"""The collection paths: Segment's HTTP API, CloudEvents, and the settings a browser library fetches. Proven by a key.

A single refused event is a 400; in a batch it is reported, since libraries drop a whole batch on any 4xx.
"""

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.types import Receive, Scope

from services.ingest.adapters import ADAPTERS
from services.ingest.collector.answers import Refused, Response, report
from services.ingest.collector.desk import Desk, check_encoding, outlined, request_of, status_of
from services.ingest.collector.directory import Proof
from services.ingest.collector.wire import BATCH_BYTES_MAX, WEBHOOK_BYTES_MAX, client_network, read_body
from shared import clock
from shared.errors import FieldError
from shared.senders import basic_credentials, bearer_token

__all__ = ["METRICS_PATH", "PATHS", "collect", "discard", "library_settings", "settings_key"]

PATHS: Final[Mapping[str, str]] = {
    f"/v1/{name}": "segment"
    for name in ("batch", "track", "identify", "page", "screen", "group", "alias", "b", "p", "i", "t", "g", "a")
} | {"/v1/events": "cloudevents"}
"""Path to adapter."""
METRICS_PATH: Final = "/v1/m"  # Segment's browser library counts itself here; nobody reads it
_SETTINGS_START, _SETTINGS_END = "/v1/projects/", "/settings"
_BATCH_ENDS: Final = ("/batch", "/b")
_HOW_TO_PROVE: Final = (
    "Nothing was kept. Send a write key of one of your sources: as `Authorization: Bearer KEY`, as the user of "
    "`Authorization: Basic` with an empty password (curl -u KEY:), as `X-Write-Key: KEY`, or as `writeKey` in a JSON "
    "body. `baton source list` shows how your keys begin, `baton source create` makes one."
)


async def collect(desk: Desk, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
    """Take one request of a collection path. Raises Refused."""
    path = scope["path"]
    adapter = ADAPTERS[PATHS[path]]
    check_encoding(headers)
    network = client_network(scope)
    key = _header_key(headers)
    proof = _prove_key(desk, key, network) if key else None
    body = await read_body(receive, headers, bytes_max=BATCH_BYTES_MAX)
    request = request_of(scope, headers, body, public_url=desk.public_url)
    desk.in_flight.take(len(body))
    try:
        outline = await outlined(adapter, request)
        if proof is None:
            proof = _prove_key(desk, outline.key, network)
        refusals = outline.refusals
        if refusals and outline.events == 1 and not path.endswith(_BATCH_ENDS):
            raise Refused(status_of(refusals[0].reason), refusals[0].reason, refusals[0].detail)
        if outline.events:
            await desk.keep(request, proof, headers=headers, network=network, hint=outline.hint, adapter=adapter)
        return report(outline.events, refusals, status=adapter.REPLY.status)
    finally:
        desk.in_flight.give_back(len(body))


async def discard(receive: Receive, headers: Mapping[str, str]) -> Response:
    """Read and forget the metrics of a browser library."""
    await read_body(receive, headers, bytes_max=WEBHOOK_BYTES_MAX)
    return Response(200)


def settings_key(path: str) -> str | None:
    """The write key in the path of Segment's settings, or None for another path."""
    if path.startswith(_SETTINGS_START) and path.endswith(_SETTINGS_END):
        return path[len(_SETTINGS_START) : -len(_SETTINGS_END)]
    return None


def library_settings(desk: Desk, key: str, public_host: str) -> Response:
    """What Segment's browser library fetches before it sends; it then uses the key from this answer."""
    if desk.directory.by_key(key) is None and desk.directory.is_fresh(clock.monotonic()):
        field = FieldError("path", "unknown", "the write key in the path is unknown or expired")
        raise Refused(401, "not_proven", "Put a valid browser key of your source into the page.", errors=[field])
    segment = {
        "apiKey": key,
        "apiHost": f"{public_host}/v1",
        "protocol": "https",
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
    }
    plan = {"track": {"__default": {"enabled": True, "integrations": {}}}}
    headers = ((b"content-type", b"application/json"), (b"cache-control", b"public, max-age=300"))
    return Response(200, orjson.dumps({"integrations": {"Segment.io": segment}, "plan": plan}), headers)


def _header_key(headers: Mapping[str, str]) -> str | None:
    authorization = headers.get("authorization")
    if authorization is None:
        return headers.get("x-write-key")
    credentials = basic_credentials(authorization)
    return credentials[0] if credentials is not None else bearer_token(authorization)


def _prove_key(desk: Desk, key: str | None, network: str | None) -> Proof:
    """The source of a write key, within its rate. Raises Refused 401, 429 or 503."""
    proof = desk.directory.by_key(key) if key else None
    if proof is None:
        code, reason = ("unknown", "this write key is unknown or expired") if key else ("missing", "no write key came")
        raise desk.unproven(_HOW_TO_PROVE, FieldError("header:authorization", code, reason))
    _limit(desk, proof, network)
    return proof


def _limit(desk: Desk, proof: Proof, network: str | None) -> None:
    is_browser = proof.verified_by == "browser_key"
    default = desk.default_rates.browser_key if is_browser else desk.default_rates.server_key
    desk.rates.take("key", proof.secret_id, per_second=proof.source.settings.rate_per_second or default)
    if is_browser and network is not None:
        desk.rates.take("address", network, per_second=desk.default_rates.browser_address)
