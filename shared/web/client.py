"""The one client for addresses that somebody else gave us: checked at every request, bounded in time and bytes.

The name is resolved once, every answer is checked, and the connection goes to a checked address while TLS and Host keep
the name; so a name that changes its answer between check and connect leads nowhere. Redirects are not followed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from socket import SOCK_STREAM, gaierror

import httpx2

from shared.errors import Busy
from shared.web.addresses import Address, AddressRefused, Network, Target, is_allowed, parse_target

__all__ = ["ANSWER_BYTES_MAX", "AddressGuard", "Fetched", "OutboundClient", "resolve"]

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0  # a receiver that drips a byte a second must not hold a place for ever
ANSWER_BYTES_MAX = 64 * 1024

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


async def resolve(host: str, port: int) -> Sequence[Address]:
    """All addresses of a name, by the system's resolver; empty when there is none."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    except (gaierror, TimeoutError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(ip_address(address[4][0]) for address in found))


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Where we may go. Production: https on 443 and 8443, public addresses, and the private networks opened by CIDR.

    is_loopback_allowed is for a stack on one machine, never for production.
    """

    is_plain_allowed: bool = False
    ports: frozenset[int] | None = frozenset({443, 8443})
    networks: tuple[Network, ...] = ()
    is_loopback_allowed: bool = False
    resolve: Resolve = resolve

    async def check(self, url: str) -> tuple[Target, Address]:
        """The URL taken apart, and a checked address to connect to. Raises AddressRefused."""
        target = parse_target(url, is_plain_allowed=self.is_plain_allowed, ports=self.ports)
        literal = target.literal
        found = [literal] if literal is not None else await self.resolve(target.host, target.port)
        if not found:
            raise AddressRefused("the name has no address")
        for address in found:
            if not is_allowed(address, networks=self.networks, is_loopback_allowed=self.is_loopback_allowed):
                raise AddressRefused("it leads to a network we do not go to; an operator may open private ones")
        return target, found[0]

    async def check_url(self, url: str) -> None:
        """As `check`, for a URL that is only stored now."""
        await self.check(url)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: header names in lower case, each value in order; at most ANSWER_BYTES_MAX of the body, undecoded."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all_of(self, name: str) -> tuple[str, ...]:
        """Every value of a header."""
        return tuple(value for key, value in self.headers if key == name)


class OutboundClient:
    """One per process. Closing it twice is fine."""

    def __init__(self, guard: AddressGuard) -> None:
        self.guard = guard
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
            # No connection is used twice: the pool knows addresses, and two names may share one.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(
        self, method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Fetched:
        """One request to a checked address. Raises AddressRefused, or Busy when no whole answer came in time."""
        target, address = await self.guard.check(url)
        literal = f"[{address}]" if address.version == 6 else str(address)
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._exchange(method, target, literal, content=content, headers=headers or {})
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise Busy(f"No answer: {type(error).__name__}.", retry_after=1) from error

    async def _exchange(
        self, method: str, target: Target, literal: str, *, content: bytes, headers: Mapping[str, str]
    ) -> Fetched:
        request = self._client.build_request(
            method,
            f"{target.scheme}://{literal}:{target.port}{target.path}",
            content=content,
            headers={**headers, "host": target.authority, "accept-encoding": "identity"},
            extensions={"sni_hostname": target.host} if target.scheme == "https" else {},
        )
        answer = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) >= ANSWER_BYTES_MAX:
                    break
        finally:
            await answer.aclose()
        pairs = tuple((name.lower(), value) for name, value in answer.headers.multi_items())
        return Fetched(answer.status_code, pairs, bytes(body[:ANSWER_BYTES_MAX]))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
