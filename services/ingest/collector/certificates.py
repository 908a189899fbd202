"""What a proof needs from the sender's own host: the certificate that signed, and the confirmation of a subscription.

An adapter says where it lies (`certificate_url`, `confirmation_url`), and lets only the sender's host pass; the client
guards the address once more. Certificates are kept in memory. While a host does not answer nobody can say whether a
proof is right: that is 503, never 401.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from services.ingest.adapters import Adapter
from services.ingest.collector.answers import Refused
from services.ingest.collector.aside import aside
from services.ingest.domain.source import Secret
from shared import clock
from shared.errors import Busy
from shared.senders import InboundRequest
from shared.telemetry import log
from shared.web.addresses import AddressRefused
from shared.web.client import Fetched

__all__ = ["Certificates", "Fetching"]

_FETCH_SECONDS: Final = 5.0  # a sender waits longer than that; a hanging host must not hold the door
_KEPT_SECONDS: Final = 24 * 3600.0  # a certificate is replaced under another address, so a day is no risk
_KEPT_MAX: Final = 32  # regions times the certificates in use
_RETRY_AFTER_SECONDS: Final = 10
_OK: Final = 200
_GONE: Final = frozenset({403, 404, 410})


class Fetching(Protocol):
    """The part of the guarded client that the door needs."""

    async def send(self, method: str, url: str) -> Fetched:
        """One request to a checked address. Raises AddressRefused, or Busy when no whole answer came in time."""


class Certificates:
    """Fetches through `client`; without one nothing can be fetched, and such senders wait."""

    def __init__(self, client: Fetching | None = None) -> None:
        self._client = client
        self._kept: dict[str, tuple[str, float]] = {}

    async def complete(self, adapter: Adapter, request: InboundRequest, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """The secrets as the verifier needs them: each followed by the certificate, of senders that have one.

        None are left when the request names no certificate of the sender's host. Raises Refused 503.
        """
        read_url = getattr(adapter, "certificate_url", None)
        if read_url is None:
            return secrets
        url = await aside(request, lambda: read_url(request, [secret.value for secret in secrets]))
        certificate = None if url is None else await self._certificate(url)
        if certificate is None:
            return ()
        return [replace(secret, value=f"{secret.value}\n{certificate}") for secret in secrets]

    async def confirm(self, adapter: Adapter, request: InboundRequest) -> None:
        """Confirm the subscription that a proven request asks to confirm, if it does. Raises Refused 503."""
        read_url = getattr(adapter, "confirmation_url", None)
        url = None if read_url is None else await aside(request, lambda: read_url(request))
        if url is not None:
            answer = await self._fetch(url)
            log.info("subscription_confirmed", sender=adapter.SENDER, status=answer.status)

    async def _certificate(self, url: str) -> str | None:
        """The text that lies there, None when there is none."""
        kept = self._kept.get(url)
        if kept is not None and clock.monotonic() - kept[1] < _KEPT_SECONDS:
            return kept[0]
        answer = await self._fetch(url)
        if answer.status in _GONE:
            return None
        text = answer.body.decode(errors="replace")
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()
        self._kept[url] = (text, clock.monotonic())
        return text

    async def _fetch(self, url: str) -> Fetched:
        """An answer of the host that says something: 200, or that there is nothing. Raises Refused 503."""
        if self._client is not None:
            try:
                async with asyncio.timeout(_FETCH_SECONDS):
                    answer = await self._client.send("GET", url)
                if answer.status == _OK or answer.status in _GONE:
                    return answer
            except (Busy, TimeoutError, AddressRefused) as error:
                log.warning("sender_host_away", reason=type(error).__name__)
        detail = "We cannot reach the host that this proof needs; send it again."
        raise Refused(503, "sender_host_away", detail, retry_after=_RETRY_AFTER_SECONDS)
