"""Reads a request off the wire under its bounds: headers, body, time, and what all requests together may hold.

Knows ASGI, nothing of sources. Invariant: no body is read beyond its bound, and the bound is checked before reading
where the sender says the length.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from starlette.types import Receive, Scope

from services.ingest.collector.answers import Refused
from services.ingest.collector.lane import seconds_to_wait
from shared.ids import jitter

__all__ = ["BATCH_BYTES_MAX", "WEBHOOK_BYTES_MAX", "InFlight", "client_network", "headers_of", "linger", "read_body"]

BATCH_BYTES_MAX: Final = 5 * 1024 * 1024
WEBHOOK_BYTES_MAX: Final = 1024 * 1024
_HEADERS_MAX: Final = 100
_HEADER_BYTES_MAX: Final = 16 * 1024
_NETWORKS_REMEMBERED: Final = 4096
_LINGER_SECONDS: Final = 2.0
_BODY_SECONDS: Final = 30.0  # a body that drips longer holds a connection for nothing


class InFlight:
    """How many requests, and how many bytes of bodies, are between body and answer in this process."""

    def __init__(self, *, requests_max: int, bytes_max: int) -> None:
        self._requests_max, self._bytes_max = requests_max, bytes_max
        self._requests = self._bytes = 0

    def take(self, length: int) -> None:
        """Hold one request of this many bytes, to be given back. Raises Refused 503 when there is no room."""
        if self._requests >= self._requests_max or self._bytes + length > self._bytes_max:
            wait = seconds_to_wait(0, jitter=jitter())
            raise Refused(503, "busy", "Too much is in flight; send it again.", retry_after=wait)
        self._requests += 1
        self._bytes += length

    def give_back(self, length: int) -> None:
        """End what `take` began."""
        self._requests -= 1
        self._bytes -= length


def headers_of(scope: Scope) -> Mapping[str, str]:
    """The headers by lower-case name, doubled ones joined. Raises Refused 431 above the bounds."""
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    joined = b"\n".join(chain.from_iterable(raw))  # all at once: no header holds one
    if len(raw) > _HEADERS_MAX or len(joined) - 2 * len(raw) >= _HEADER_BYTES_MAX:
        raise Refused(431, "headers_too_large", "Send at most 100 headers of 16 KiB together.")
    texts = joined.decode("latin-1").split("\n")
    headers = dict(zip(texts[::2], texts[1::2], strict=False))
    if len(headers) == len(raw) and len(texts) == 2 * len(raw):
        return headers
    headers = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def read_body(receive: Receive, headers: Mapping[str, str], *, bytes_max: int) -> bytes:
    """The whole body. Raises Refused 413 above bytes_max, 408 when it takes over 30 s, 400 when the client leaves."""
    said = headers.get("content-length")
    if said is not None and (not said.isdigit() or len(said) > 18 or int(said) > bytes_max):
        raise Refused(413, "body_too_large", f"A body here may have at most {bytes_max} bytes.")
    first = _checked(await receive())
    if not first.get("more_body", False):  # nearly every body comes in one piece: no timer, no copy
        body: bytes = first.get("body", b"")
        if len(body) > bytes_max:
            raise Refused(413, "body_too_large", f"A body here may have at most {bytes_max} bytes.")
        return body
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await _rest(receive, first.get("body", b""), bytes_max=bytes_max)
    except TimeoutError as error:
        raise Refused(408, "body_too_slow", "The body did not arrive within 30 s.") from error


async def linger(receive: Receive) -> None:
    """Read and forget what a refused sender still sends, for a moment: a reset would hide our answer from him."""
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            more = True
            while more:
                message = await receive()
                more = message["type"] == "http.request" and message.get("more_body", False)
    except TimeoutError:
        return


async def _rest(receive: Receive, start: bytes, *, bytes_max: int) -> bytes:
    parts, length = [start], len(start)
    while True:
        message = _checked(await receive())
        part = message.get("body", b"")
        length += len(part)
        if length > bytes_max:
            raise Refused(413, "body_too_large", f"A body here may have at most {bytes_max} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _checked(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if message["type"] == "http.disconnect":
        raise Refused(400, "client_left", "The client left before the body was complete.")
    return message


def client_network(scope: Scope) -> str | None:
    """The client's address cut to /24 or /48: more of it is nobody's business, and a topic cannot be edited."""
    client = scope.get("client")
    return _network_of(str(client[0])) if client else None


@lru_cache(_NETWORKS_REMEMBERED)
def _network_of(host: str) -> str | None:
    if host.count(".") == 3:
        return f"{host.rpartition('.')[0]}.0/24"
    return ":".join(host.split(":")[:3]) + "::/48" if ":" in host else None
