"""Whose address is counted: the peer's, and behind proxies that a setting names the one they name."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from services.console.domain.guessing import network_of
from services.console.settings import Settings
from services.console.usecases.prove import address_of
from shared.runtime.server import DrainServer

DEADLINE_SECONDS = 10.0


async def tell_address(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(address_of(Request(scope)))(scope, receive, send)


@asynccontextmanager
async def served(trusted_proxies: str) -> AsyncIterator[httpx2.AsyncClient]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = DrainServer(tell_address, trusted_proxies=trusted_proxies)
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        try:
            async with httpx2.AsyncClient(base_url=base, timeout=DEADLINE_SECONDS, trust_env=False) as client:
                yield client
        finally:
            server.drain()
    listener.close()


@pytest.mark.parametrize(
    ("trusted", "said", "counted"),
    [
        ("", "203.0.113.7", "127.0.0.1"),  # anybody can write the header, from this host too
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.0/8, 10.0.0.0/8", "198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
async def test_the_header_counts_only_from_proxies_that_are_named(trusted: str, said: str, counted: str) -> None:
    async with served(trusted) as client:
        answer = await client.get("/", headers={"x-forwarded-for": said} if said else {})
    assert answer.text == counted


@pytest.mark.parametrize("wrong", ["*", "everybody", "10.0.0.0/40", "10.0.0.1/8"])
def test_a_setting_that_names_no_network_is_refused_at_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(database_url="postgresql://x", kafka_bootstrap_servers="x:1", trusted_proxies=wrong)


def test_one_household_of_ipv6_is_one_address() -> None:
    assert network_of("2001:db8:1:2:aaaa::1") == network_of("2001:db8:1:2:bbbb::9") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::1") != network_of("2001:db8:1:2::1")
    assert network_of("::ffff:203.0.113.7") == network_of("203.0.113.7") == "203.0.113.7"
    assert network_of("unknown") == "unknown"
