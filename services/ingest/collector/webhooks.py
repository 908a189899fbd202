"""The webhook addresses: `/webhooks/{sender}/{source}`, proven by the sender's own scheme.

An unknown source and a wrong signature get the same answer after the same work. A scheme without a secret is closed; a
sender whose only secret is its address is open at that address, but must show a secret too when its source ever had
one: neither its end nor its loss opens the address.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from starlette.types import Receive, Scope

from services.ingest.adapters import ADAPTERS, Adapter
from services.ingest.collector.answers import Refused, Response
from services.ingest.collector.aside import aside
from services.ingest.collector.desk import Desk, check_encoding, outlined, request_of
from services.ingest.collector.directory import GONE_FOR, Proof
from services.ingest.collector.once import shown_by
from services.ingest.collector.wire import WEBHOOK_BYTES_MAX, client_network, read_body
from services.ingest.domain.source import Secret, Source
from shared import clock
from shared.senders import InboundRequest

__all__ = ["METHODS", "START", "take_webhook"]

START: Final = "/webhooks/"
METHODS: Final = ("GET", "HEAD", "POST")  # senders shake hands by GET and HEAD
_VERIFIED_BY: Final = {"signature": "signature", "shared_secret": "shared_secret", "address": "shared_secret"}
"""What a right secret proves, by the sender's `PROOF`; of one with a mere address it is sent along."""
_UNPROVEN: Final = (
    "Nothing was kept: the signature is wrong, or no source has this address. Paste the address of the source again, "
    "and give Baton the signing secret that the sender shows; `baton source list` shows the addresses."
)


async def take_webhook(desk: Desk, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
    """Take one request of a sender. Raises Refused."""
    sender, _, address = scope["path"].removeprefix(START).partition("/")
    adapter = ADAPTERS.get(sender)
    if adapter is None or adapter.PROOF == "key":  # a key has its own paths
        raise desk.unproven(_UNPROVEN)
    check_encoding(headers)
    network = client_network(scope)
    who = _counted(desk, sender, address, network)
    desk.check_unproven(who)
    body = await read_body(receive, headers, bytes_max=getattr(adapter, "BODY_BYTES_MAX", WEBHOOK_BYTES_MAX))
    request = request_of(scope, headers, body, public_url=desk.public_url)
    desk.in_flight.take(len(body))
    try:
        now = clock.now()
        source = _source(desk, sender, address, now)
        secrets = _valid_secrets(source, now)
        shaken = await aside(request, lambda: adapter.handshake(request, [secret.value for secret in secrets]))
        is_signed = getattr(adapter, "IS_HANDSHAKE_SIGNED", False)  # then it is as fresh as a delivery must be
        if shaken is not None and source is not None and not is_signed:
            return Response.of(shaken)
        proof = await _proof(desk, adapter, request, source, secrets, now=now.timestamp())
        if proof is None or request.method != "POST" or not await _is_taken(desk, adapter, request, proof):
            raise desk.unproven(_UNPROVEN, who=who)
        rate = proof.source.settings.rate_per_second or desk.default_rates.server_key
        desk.rates.take("source", str(proof.source.id), per_second=rate)
        if shaken is not None:
            return Response.of(shaken)
        await desk.certificates.confirm(adapter, request)
        outline = await outlined(adapter, request)
        if outline.events:
            hint = await aside(request, lambda: adapter.hint(request))
            await desk.keep(request, proof, headers=headers, network=network, hint=hint, adapter=adapter)
        return Response.of(adapter.REPLY)
    finally:
        desk.in_flight.give_back(len(body))


def _counted(desk: Desk, sender: str, address: str, network: str | None) -> object:
    """Whom a request without proof is counted for: its network, at the address of a source for that source alone.

    So a stranger who shares a network with a sender cannot have the sender refused: he does not know the address.
    """
    source = desk.directory.by_address(sender, address)
    return network, None if source is None else source.id


async def _is_taken(desk: Desk, adapter: Adapter, request: InboundRequest, proof: Proof) -> bool:
    """Whether a right proof is also of the kind that its source takes, and no second use of one that counts once."""
    accepts = getattr(adapter, "accepts", None)
    if accepts is not None and not await aside(request, lambda: accepts(request, proof.source.settings)):
        return False
    shown = await aside(request, lambda: shown_by(adapter, request))
    return not desk.once.is_forged(shown)


async def _proof(
    desk: Desk,
    adapter: Adapter,
    request: InboundRequest,
    source: Source | None,
    secrets: Sequence[Secret],
    *,
    now: float,
) -> Proof | None:
    """How the request is proven, or None. What has no secret to verify with is verified with another: same work."""
    completed = await desk.certificates.complete(adapter, request, secrets)
    decoy = desk.directory.decoy(adapter.SENDER)

    def verified() -> Secret | None:
        if not completed:
            adapter.verify(request, decoy, now)
        return next((one for one in completed if adapter.verify(request, one.value, now)), None)

    proven = await aside(request, verified)
    if source is None:
        return None
    if proven is not None:
        return Proof(source, _VERIFIED_BY[adapter.PROOF], str(proven.id))
    if adapter.PROOF == "address" and source.is_open:
        return Proof(source, "address", None)
    return None


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
