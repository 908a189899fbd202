"""A request that does not come in time is cut off, headers and body apart; an idle kept-alive connection is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive, Scope, Send

from shared.runtime.server import DrainServer, listen

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
async def served(app: App, *, headers_seconds: float = 60, body_seconds: float = 60) -> AsyncIterator[int]:
    server = DrainServer(app, headers_seconds=headers_seconds, body_seconds=body_seconds)
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
