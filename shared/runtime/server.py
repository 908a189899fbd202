"""The HTTP server of one port: uvicorn without its signal handlers, draining kept-alive clients before it ends.

While draining every answer says `connection: close`, so clients leave by themselves and no connection is reset
(RELIABILITY 3.12). Who sends a request too slowly is cut off (SECURITY 2): the ASGI app sees a client that left. What
proxies read in two ways (a target that names another host, headers without end) is refused before any app sees it.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httptools
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.clock import sleep
from shared.errors import Fatal
from shared.telemetry import count

__all__ = ["BODY_LOOK_SECONDS", "BODY_SECONDS", "HEADERS_SECONDS", "DrainServer", "listen"]

DRAIN_SECONDS = 3
_GRACEFUL_SECONDS = 10
_KEEP_ALIVE_SECONDS = 65  # above the proxy's, so that the proxy is the one that closes
_BACKLOG = 2048
# Without these a thousand half requests hold a thousand connections for ever.
HEADERS_SECONDS = 10.0
BODY_SECONDS = 32.0  # an app's own answer to a slow body goes first
BODY_LOOK_SECONDS = 8.0  # so often a body must have moved on by what the least pace makes of it
_BODY_BYTES_A_SECOND = 1024
_PARTIAL_HEADER_BYTES = 64 * 1024  # of headers that are not whole yet; apps allow 16 KiB
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once. Raises Fatal when the port is taken."""
    try:
        listening = socket.create_server((host, port), backlog=_BACKLOG, reuse_port=False)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; else bodies wait for ACKs, 40 ms
        return listening  # noqa: TRY300 - what follows is for the error alone
    except OSError as error:
        raise Fatal(f"Cannot listen on {host}:{port}: {error.strerror}. Free the port or set another.") from error


class _ForAnotherHost(Exception):
    """The target of a request names a host that its Host header does not: answered 400 by the protocol."""


class _Punctual(HttpToolsProtocol):
    """One connection whose headers, and then whose body, must be there in time; whole requests cost no timer."""

    headers_seconds = HEADERS_SECONDS
    body_seconds = BODY_SECONDS
    body_look_seconds = BODY_LOOK_SECONDS
    _bytes = 0  # of what is awaited, since the timer was set
    _looks_left = 0  # how often a body may still be found moving
    _awaited = ""  # what of a request is still to come: headers, body, or nothing
    _timed = ""  # what the timer runs for
    _timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the class does
        super().connection_made(transport)
        self._awaited = "headers"
        self._time()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._awaited = ""
        self._time()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._awaited != self._timed:
            self._time()
        if self._awaited:
            self._bytes += len(data)
            if self._awaited == "headers" and self._bytes > _PARTIAL_HEADER_BYTES:
                count("baton_refused_total", slug="headers_too_large")
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaited = "headers"

    @override
    def on_headers_complete(self) -> None:
        if self.url[:1] != b"/" and self.url != b"*":
            self._check_absolute()
        super().on_headers_complete()
        self._awaited = "body"

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaited = ""

    def _time(self) -> None:
        """Let the timer run for what is awaited now."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timed, self._bytes = None, self._awaited, 0
        if self._awaited == "headers":
            self._timer = self.loop.call_later(self.headers_seconds, self._too_slow)
        elif self._awaited == "body":
            self._looks_left = int(self.body_seconds / self.body_look_seconds)
            self._timer = self.loop.call_later(self.body_look_seconds, self._look_at_body)

    def _look_at_body(self) -> None:
        """Wait on while a body comes fast enough, at most body_seconds in all; longer when it is we who do not read."""
        is_moving = self._bytes >= self.body_look_seconds * _BODY_BYTES_A_SECOND
        if self.flow.read_paused:
            self._time()
        elif is_moving and self._looks_left > 1:
            self._bytes, self._looks_left = 0, self._looks_left - 1
            self._timer = self.loop.call_later(self.body_look_seconds, self._look_at_body)
        else:
            self._too_slow()

    def _check_absolute(self) -> None:
        """Refuse a target like `http://elsewhere/`: whoever stands before us may have judged it by the other name."""
        named = httptools.parse_url(self.url)
        said = [value for name, value in self.headers if name == b"host"]
        port = b":%d" % named.port if named.port else b""
        if said != [(named.host or b"") + port]:
            raise _ForAnotherHost

    def _too_slow(self) -> None:
        if self.flow.read_paused:  # it is we who do not read
            self._time()
            return
        count("baton_refused_total", slug=f"{self._timed}_too_slow")
        self.transport.close()


class DrainServer(uvicorn.Server):
    """One port's server; `drain()` makes `serve()` return after the last answer."""

    is_draining = False

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted_proxies: str = "",
        headers_seconds: float = HEADERS_SECONDS,
        body_seconds: float = BODY_SECONDS,
        body_look_seconds: float = BODY_LOOK_SECONDS,
    ) -> None:
        bounds = {
            "headers_seconds": headers_seconds,
            "body_seconds": body_seconds,
            "body_look_seconds": min(body_look_seconds, body_seconds),
        }
        super().__init__(
            uvicorn.Config(
                self._closing(app),
                http=type("Punctual", (_Punctual,), bounds),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # By default uvicorn believes X-Forwarded-For of whoever comes from this host.
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
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
