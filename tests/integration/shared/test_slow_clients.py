"""A request that does not come in time is cut off, headers and body apart; an idle kept-alive connection is not.

What can be read in two ways is refused: lengths that differ, a target on another host, headers without an end.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from shared.clock import monotonic, sleep
from shared.runtime.server import BODY_LOOK_SECONDS, BODY_SECONDS, HEADERS_SECONDS, DrainServer, listen

PATIENCE_SECONDS = 30.0
WHOLE = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nhi"


class App:
    """Answers a whole body with 200; remembers clients that left before it was whole."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def served(
    app: App, *, headers_seconds: float = 60, body_seconds: float = 60, body_look_seconds: float = 60
) -> AsyncIterator[int]:
    server = DrainServer(
        app, headers_seconds=headers_seconds, body_seconds=body_seconds, body_look_seconds=body_look_seconds
    )
    socket = listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[socket]))
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield port
        server.drain()


async def cut_off(port: int, start: bytes) -> bytes:
    """What comes back for the start of a request that never goes on, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    answer = await reader.read()
    writer.close()
    return answer


async def test_half_headers_are_cut_off_and_an_idle_connection_is_not() -> None:
    async with served(App(), headers_seconds=0.3, body_seconds=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in (WHOLE[:20], WHOLE[20:60], WHOLE[60:]):
            writer.write(part)
            await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await cut_off(port, WHOLE[:30]) == b""  # as long as a slow one may take, the other one was idle
        writer.write(WHOLE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_connection_without_a_request_is_cut_off() -> None:
    async with served(App(), headers_seconds=0.1) as port:
        assert await cut_off(port, b"") == b""


async def test_a_body_that_never_comes_is_cut_off_and_the_app_sees_its_client_leave() -> None:
    app = App()
    async with served(app, body_seconds=0.1) as port:
        assert await cut_off(port, WHOLE[:-2]) == b""
        await app.left.wait()


async def test_dripping_does_not_win_time() -> None:
    app = App()
    async with served(app, body_seconds=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE.replace(b"Content-Length: 2", b"Content-Length: 2000000"))
        while not app.left.is_set():
            writer.write(b".")
            try:
                async with asyncio.timeout(0.02):
                    await app.left.wait()
            except TimeoutError:
                continue
        writer.close()
        assert not reader.at_eof() or await reader.read() == b""


async def test_a_body_slower_than_its_least_pace_is_cut_off_long_before_its_last_moment() -> None:
    app = App()
    async with served(app, body_seconds=60, body_look_seconds=0.2) as port:
        start = WHOLE.replace(b"Content-Length: 2", b"Content-Length: 2000000")
        assert await cut_off(port, start) == b""
        await app.left.wait()


async def test_a_long_body_that_moves_is_read_to_its_end() -> None:
    async with served(App(), body_seconds=60, body_look_seconds=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
        until = monotonic() + 1.5  # it is looked at once, and each part is far above what its pace asks for
        while monotonic() < until:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await sleep(0.01)
        writer.write(b"0\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_400_slow_connections_are_all_closed_while_a_request_beside_them_is_answered() -> None:
    starts = (b"", WHOLE[:20], WHOLE[:-2], WHOLE.replace(b"Content-Length: 2", b"Content-Length: 20000"))
    async with (
        served(App(), headers_seconds=1, body_seconds=2, body_look_seconds=1) as port,
        asyncio.TaskGroup() as group,
    ):
        slow = [group.create_task(cut_off(port, starts[n % 4])) for n in range(400)]
        answered = 0
        while not all(task.done() for task in slow):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(WHOLE)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            writer.close()
            answered += 1
        assert answered > 0
        assert [task.result() for task in slow] == [b""] * 400


def test_the_bounds_of_time_are_those_of_the_page() -> None:
    server = DrainServer(App())
    assert (HEADERS_SECONDS, 2 * BODY_LOOK_SECONDS < 20, BODY_SECONDS < 35) == (10, True, True)
    assert server.config.timeout_keep_alive == 65


@pytest.mark.parametrize(
    "start",
    [
        b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: -2\r\n\r\nhi",
        b"GET http://elsewhere/ HTTP/1.1\r\nHost: here\r\n\r\n",
        b"GET http://here:99/ HTTP/1.1\r\nHost: here\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\n\r\n",
        b"GET http://here/ HTTP/1.1\r\nHost: here\r\nHost: elsewhere\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: here\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_can_be_read_in_two_ways_is_400(start: bytes) -> None:
    async with served(App()) as port:
        assert (await cut_off(port, start)).startswith(b"HTTP/1.1 400 ")


async def test_an_absolute_target_on_our_own_host_is_answered() -> None:
    async with served(App()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET http://here:81/ HTTP/1.1\r\nHost: here:81\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_headers_without_an_end_are_431_long_before_their_time_is_over() -> None:
    async with served(App()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n")
        while not reader.at_eof():
            writer.write(b"x-more: " + b"x" * 10_000 + b"\r\n")
            try:
                await writer.drain()
            except ConnectionError:
                break
            async with asyncio.timeout(PATIENCE_SECONDS):
                if answer := await first_bytes(reader):
                    assert answer.startswith(b"HTTP/1.1 431 ")
                    break
        writer.close()


async def first_bytes(reader: asyncio.StreamReader) -> bytes:
    """What has come within a moment, or nothing."""
    try:
        async with asyncio.timeout(0.02):
            return await reader.read(64)
    except TimeoutError:
        return b""
