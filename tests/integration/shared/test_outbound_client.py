"""The guarded client against receivers that misbehave: bounded, typed, never led elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address

import pytest
import pytest_asyncio

from shared.errors import Busy
from shared.web.addresses import Address, AddressRefused
from shared.web.client import ANSWER_BYTES_MAX, AddressGuard, OutboundClient
from tests.support.receiver import Reply, receiving

ON_ONE_MACHINE = AddressGuard(is_plain_allowed=True, ports=None, is_loopback_allowed=True)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[OutboundClient]:
    made = OutboundClient(ON_ONE_MACHINE)
    yield made
    await made.close()


async def test_an_answer_comes_back_with_all_its_headers(client: OutboundClient) -> None:
    async with receiving(Reply(503, (("Retry-After", "5"), ("Retry-After", "9")), b"busy")) as receiver:
        answer = await client.send("POST", receiver.url, content=b"{}", headers={"x-a": "1"})
    assert (answer.status, answer.all_of("retry-after"), answer.body) == (503, ("5", "9"), b"busy")
    assert receiver.received[0].headers["x-a"] == "1"
    assert receiver.received[0].headers["host"] in receiver.url


async def test_a_redirect_is_an_answer_and_not_a_way(client: OutboundClient) -> None:
    async with receiving() as inner, receiving(Reply(302, (("location", inner.url),))) as receiver:
        answer = await client.send("POST", receiver.url)
        assert (answer.status, inner.received) == (302, [])


async def test_only_so_much_of_an_answer_is_read(client: OutboundClient) -> None:
    async with receiving(Reply(200, body=b"x" * (10 * 1024 * 1024))) as receiver:
        answer = await client.send("POST", receiver.url)
    assert len(answer.body) == ANSWER_BYTES_MAX


async def test_what_does_not_answer_is_busy(client: OutboundClient) -> None:
    with pytest.raises(Busy):
        await client.send("POST", "http://127.0.0.1:1/")


async def test_an_answer_that_is_no_http_is_busy(client: OutboundClient) -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    with pytest.raises(Busy):
        await client.send("POST", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    server.close()


async def test_a_name_that_changes_its_answer_after_the_check_leads_nowhere() -> None:
    asked: list[str] = []

    async def flipping(host: str, _port: int) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    guard = AddressGuard(is_plain_allowed=True, ports=None, is_loopback_allowed=True, resolve=flipping)
    client = OutboundClient(guard)
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        assert (await client.send("POST", f"http://crm.example:{port}/hook")).status == 200
        assert receiver.received[0].headers["host"] == f"crm.example:{port}"
        with pytest.raises(AddressRefused):
            await client.send("POST", f"http://crm.example:{port}/hook")
        assert len(asked) == 2
    await client.close()


async def test_production_opens_no_connection_to_this_machine() -> None:
    client = OutboundClient(AddressGuard(is_plain_allowed=True, ports=None))
    async with receiving() as receiver:
        with pytest.raises(AddressRefused):
            await client.send("POST", receiver.url)
        assert receiver.received == []
    await client.close()
