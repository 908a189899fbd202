"""The webhook addresses: `/webhooks/{sender}/{source}`, proven by the sender's own scheme.

An unknown source and a wrong signature get the same answer after the same work. A scheme without a secret is closed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from starlette.types import Receive, Scope

from services.ingest.adapters import ADAPTERS
from services.ingest.collector.answers import Refused, Response
from services.ingest.collector.desk import Desk, check_encoding, outlined, request_of
from services.ingest.collector.directory import GONE_FOR, Proof
from services.ingest.collector.wire import WEBHOOK_BYTES_MAX, client_network, read_body
from services.ingest.domain.source import Secret, Source
from shared import clock

__all__ = ["METHODS", "START", "take_webhook"]

START: Final = "/webhooks/"
METHODS: Final = ("GET", "HEAD", "POST")  # senders shake hands by GET and HEAD
_UNPROVEN: Final = (
    "Nothing was kept: the signature is wrong, or no source has this address. Paste the address of the source again, "
    "and give Baton the signing secret that the sender shows; `baton source list` shows the addresses."
)


async def take_webhook(desk: Desk, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
    """Take one request of a sender. Raises Refused."""
    sender, _, address = scope["path"].removeprefix(START).partition("/")
    adapter = ADAPTERS.get(sender)
    if adapter is None:
        raise desk.unproven(_UNPROVEN)
    check_encoding(headers)
    body = await read_body(receive, headers, bytes_max=WEBHOOK_BYTES_MAX)
    request = request_of(scope, headers, body, public_url=desk.public_url)
    desk.in_flight.take(len(body))
    try:
        now = clock.now()
        source = _source(desk, sender, address, now)
        secrets = _valid_secrets(source, now)
        shaken = adapter.handshake(request, [secret.value for secret in secrets])
        if shaken is not None and source is not None:
            return Response.of(shaken)
        proven = next((one for one in secrets if adapter.verify(request, one.value, now.timestamp())), None)
        if not secrets:
            adapter.verify(request, desk.directory.decoy(sender), now.timestamp())
        if source is None or proven is None:
            raise desk.unproven(_UNPROVEN)
        rate = source.settings.rate_per_second or desk.default_rates.server_key
        desk.rates.take("source", str(source.id), per_second=rate)
        outline = await outlined(adapter, request)
        if outline.events:
            await desk.keep(
                request,
                Proof(source, "signature", str(proven.id)),
                headers=headers,
                network=client_network(scope),
                hint=adapter.hint(request),
                adapter=adapter,
            )
        return Response.of(adapter.REPLY)
    finally:
        desk.in_flight.give_back(len(body))


def _source(desk: Desk, sender: str, address: str, now: datetime) -> Source | None:
    """The live source, None for an unknown one. Raises Refused 410 for one that was deleted on purpose."""
    source = desk.directory.by_address(sender, address)
    if source is None or source.deleted_at is None:
        return source
    if now - source.deleted_at < GONE_FOR:
        raise Refused(410, "source_deleted", "This source was deleted; stop sending.")
    return None


def _valid_secrets(source: Source | None, now: datetime) -> list[Secret]:
    if source is None:
        return []
    return [one for one in source.secrets if one.valid_until is None or one.valid_until > now]
