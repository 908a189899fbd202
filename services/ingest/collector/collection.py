"""The collection paths: what client libraries post with a key of ours, whichever sender's calls they speak.

Paths are found on the adapters. Several senders share some: then the key's source says whose request it is. A single
refused event is a 400; in a batch it is reported, since libraries drop a whole batch on any 4xx. Secrets leave the
query before anything is kept.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.types import Receive, Scope

from services.ingest.adapters import COLLECTING, Adapter, CollectionAdapter, Outline
from services.ingest.collector.answers import Refused, Response, report
from services.ingest.collector.desk import Desk, check_encoding, outlined, request_of, status_of
from services.ingest.collector.directory import Proof
from services.ingest.collector.wire import BATCH_BYTES_MAX, client_network, read_body
from shared.errors import FieldError
from shared.senders import basic_credentials, bearer_token
from shared.telemetry import count

__all__ = ["collect"]

_HOW_TO_PROVE: Final = (
    "Nothing was kept. Send a write key of one of your sources: as `Authorization: Bearer KEY`, as the user of "
    "`Authorization: Basic` with an empty password (curl -u KEY:), as `X-Write-Key: KEY`, or as `writeKey` in a JSON "
    "body. `baton source list` shows how your keys begin, `baton source create` makes one."
)
_SECRETS: Final = ("api_secret", "writekey", "write_key", "api_key", "token", "key")
_REPORT: Final = "application/json"
_EXPECTED: Final[Mapping[str, Mapping[str, object]]] = {
    taker.SENDER: {name: one for name, one in orjson.loads(taker.REPLY.body).items() if name != "success"}
    for takers in COLLECTING.values()
    for taker in takers
    if taker.REPLY.content_type == _REPORT
}
"""What a sender looks for in a report besides what we say to all."""


async def collect(desk: Desk, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
    """Take one request of a collection path. Raises Refused."""
    takers = COLLECTING[scope["path"]]
    try:
        return await _collected(desk, scope, receive, headers, takers=takers)
    except Refused as error:
        if takers[0].REPLY.status != 204 or error.status_code in {429, 503}:
            raise
        count("baton_refused_total", slug=error.problem)
        return Response.of(takers[0].REPLY)  # a sender that is told nothing by its original is told nothing here


async def _collected(
    desk: Desk,
    scope: Scope,
    receive: Receive,
    headers: Mapping[str, str],
    *,
    takers: tuple[CollectionAdapter, ...],
) -> Response:
    check_encoding(headers)
    network = client_network(scope)
    key = _header_key(headers)
    proof = _prove_key(desk, key, network) if key else None
    body = await read_body(receive, headers, bytes_max=BATCH_BYTES_MAX)
    request = request_of(scope, headers, body, public_url=desk.public_url)
    desk.in_flight.take(len(body))
    try:
        adapter = takers[0] if proof is None else _adapter_of(takers, proof)
        outline = await outlined(adapter, request)
        if proof is None:
            proof = _prove_outlined(desk, adapter, outline, headers=headers, network=network)
            adapter, outliner = _adapter_of(takers, proof), adapter.outline
            if adapter.outline is not outliner:
                outline = await outlined(adapter, request)
        refusals = outline.refusals
        if refusals and outline.is_single:
            raise Refused(status_of(refusals[0].reason), refusals[0].reason, refusals[0].detail)
        if outline.events:
            kept = request._replace(query=_without_secrets(request.query)) if request.query else request
            await desk.keep(kept, proof, headers=headers, network=network, hint=outline.hint, adapter=adapter)
        return _answer(adapter, outline)
    finally:
        desk.in_flight.give_back(len(body))


def _answer(adapter: Adapter, outline: Outline) -> Response:
    """The report; a sender's own answer where it expects another form, unless events were refused."""
    reply = adapter.REPLY
    if reply.content_type != _REPORT and (not outline.refusals or reply.status == 204):
        return Response.of(reply)
    return report(outline.events, outline.refusals, status=reply.status, more=_EXPECTED.get(adapter.SENDER))


def _adapter_of(takers: tuple[CollectionAdapter, ...], proof: Proof) -> CollectionAdapter:
    """The adapter of the key's own sender when it takes this path, else the one whose API it is."""
    first, sender = takers[0], proof.source.sender
    return first if sender == first.SENDER else next((one for one in takers if sender == one.SENDER), first)


def _header_key(headers: Mapping[str, str]) -> str | None:
    authorization = headers.get("authorization")
    if authorization is None:
        return headers.get("x-write-key")
    credentials = basic_credentials(authorization)
    return credentials[0] if credentials is not None else bearer_token(authorization)


def _without_secrets(query: str) -> str:
    """The query as it may be kept and shown."""
    if "%" not in query and not any(name in query.lower() for name in _SECRETS):
        return query  # nearly all: nothing to parse
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=1_000, encoding="latin-1")
    except ValueError:
        return ""
    shown = [(name, one) for name, one in fields if name.lower() not in _SECRETS]
    return query if len(shown) == len(fields) else urlencode(shown, encoding="latin-1")


def _prove_outlined(
    desk: Desk, adapter: Adapter, outline: Outline, *, headers: Mapping[str, str], network: str | None
) -> Proof:
    """The source by the key in body or query; of a sender without keys, by the application that sends."""
    if outline.app is not None and (outline.key is None or desk.directory.by_key(outline.key) is None):
        proof = desk.directory.by_app(
            adapter.SENDER, outline.app, origin=headers.get("origin", ""), host=headers.get("host", "")
        )
        if proof is not None:
            _limit(desk, proof, network)
            return proof
    return _prove_key(desk, outline.key, network)


def _prove_key(desk: Desk, key: str | None, network: str | None) -> Proof:
    """The source of a write key, within its rate. Raises Refused 401, 429 or 503."""
    proof = _known(desk, key) if key else None
    if proof is None:
        code, reason = ("unknown", "this write key is unknown or expired") if key else ("missing", "no write key came")
        raise desk.unproven(_HOW_TO_PROVE, FieldError("header:authorization", code, reason))
    _limit(desk, proof, network)
    return proof


def _known(desk: Desk, key: str) -> Proof | None:
    """What a key proves; one of two parts (`KEY:SECRET`, as Jitsu writes them) may be ours whole or in either part."""
    found = desk.directory.by_key(key)
    if found is not None or ":" not in key:
        return found
    first, _, second = key.partition(":")
    return desk.directory.by_key(first) or desk.directory.by_key(second)


def _limit(desk: Desk, proof: Proof, network: str | None) -> None:
    is_browser = proof.verified_by == "browser_key"
    default = desk.default_rates.browser_key if is_browser else desk.default_rates.server_key
    desk.rates.take("key", proof.secret_id, per_second=proof.source.settings.rate_per_second or default)
    if is_browser and network is not None:
        desk.rates.take("address", network, per_second=desk.default_rates.browser_address)
