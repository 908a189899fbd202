"""The HTTP server of one port: uvicorn without its signal handlers, draining kept-alive clients before it ends.

While draining every answer says `connection: close`, so clients leave by themselves and no connection is reset
(RELIABILITY 3.12).
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from shared.clock import sleep
from shared.errors import Fatal

__all__ = ["DrainServer", "listen"]

DRAIN_SECONDS = 3
_GRACEFUL_SECONDS = 10
_KEEP_ALIVE_SECONDS = 65  # above the proxy's, so that the proxy is the one that closes
_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Fatal when the port is taken."""
    try:
        return socket.create_server((host, port), backlog=_BACKLOG, reuse_port=False)
    except OSError as error:
        raise Fatal(f"Cannot listen on {host}:{port}: {error.strerror}. Free the port or set another.") from error


class DrainServer(uvicorn.Server):
    """One port's server; `drain()` makes `serve()` return after the last answer."""

    is_draining = False

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                self._closing(app),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACEFUL_SECONDS,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                h11_max_incomplete_event_size=16 * 1024,
                ws="none",
            )
        )

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def drain(self) -> None:
        """Accept no more, answer what is running, return from `serve`; doing it twice is fine."""
        self.should_exit = True

    def close_now(self) -> None:
        """Close what a cancelled `serve` left open; after a drain there is nothing."""
        for listener in getattr(self, "servers", ()):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.is_draining = True
        for listener in self.servers:
            listener.close()
        until = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self.server_state.connections and asyncio.get_running_loop().time() < until:
            await sleep(0.01)
        await super().shutdown(sockets)

    def _closing(self, app: ASGIApp) -> ASGIApp:
        async def framed(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_closing(message: Message) -> None:
                if self.is_draining and message["type"] == "http.response.start":
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
                await send(message)

            await app(scope, receive, send_closing)

        return framed
