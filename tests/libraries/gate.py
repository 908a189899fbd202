"""A gate before ingest, as a load balancer is: it passes requests on, and, in a storm, refuses some of them.

It notes what each client was told. Of every few requests one is kept by ingest and answered 503 all the same, so that
a library which sends again must send the same ids. While ingest is away a request waits until it is back and gets 503.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from starlette.types import Receive, Scope, Send

from shared.runtime.server import DrainServer, listen
from shared.senders import InboundRequest

__all__ = ["HEAVY", "LIGHT", "Gate", "open_gate"]

WAIT_SECONDS = 180.0
PASS_SECONDS = 20.0
HEAVY, LIGHT = (6, 9, 13), (20, 30, 50)
"""Storms: every so-manieth request of a path is kept and answered 503, refused with 503, refused with 429."""
_OF_ONE_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding"})


@dataclass
class Gate:
    """Passes on to `upstream`; `told` are the requests whose client got 2xx, `answers` counts all statuses."""

    client: httpx2.AsyncClient
    upstream: str
    port: int
    storm: tuple[int, int, int] | None = None
    is_up: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[InboundRequest] = field(default_factory=list)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in _OF_ONE_HOP]
        body = await _body(receive)
        query = scope["query_string"].decode("latin-1")
        said = {name.decode(): value.decode("latin-1") for name, value in headers}
        request = InboundRequest(scope["method"], scope["path"], query, said, body)
        status, answered, content = await self._answer(request, headers)
        self.answers[(request.path, status)] += 1
        if 200 <= status < 300 and request.method != "OPTIONS":
            self.told.append(request)
        async with self.moved:
            self.moved.notify_all()
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": content})

    async def until_told(self, requests: int) -> None:
        """Until so many requests got their 2xx."""
        async with asyncio.timeout(WAIT_SECONDS), self.moved:
            await self.moved.wait_for(lambda: len(self.told) >= requests)

    async def _answer(
        self, request: InboundRequest, headers: list[tuple[bytes, bytes]]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        self.seen[request.path] += 1
        kept_and_refused, refused, too_fast = self.storm or (0, 0, 0)
        number = self.seen[request.path]
        if too_fast and number % too_fast == 0:
            return 429, [(b"retry-after", b"1")], b""
        if refused and number % refused == 0:
            return 503, [(b"retry-after", b"1")], b""
        try:
            url = f"{self.upstream}{request.path}{'?' if request.query else ''}{request.query}"
            passed = await self.client.request(request.method, url, headers=headers, content=request.body)
        except httpx2.TransportError:
            async with asyncio.timeout(WAIT_SECONDS):
                await self.is_up.wait()
            return 503, [(b"retry-after", b"1")], b""
        if kept_and_refused and number % kept_and_refused == 0:
            return 503, [(b"retry-after", b"1")], b""
        answered = [(name.lower(), value) for name, value in passed.headers.raw if name.lower() not in _OF_ONE_HOP]
        return passed.status_code, answered, passed.content


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


@asynccontextmanager
async def open_gate(upstream: str) -> AsyncIterator[Gate]:
    """A gate that listens on a port of its own."""
    client = httpx2.AsyncClient(trust_env=False, timeout=PASS_SECONDS)
    with listen("127.0.0.1", 0) as socket:
        gate = Gate(client, upstream, socket.getsockname()[1])
        gate.is_up.set()
        server = DrainServer(gate, headers_seconds=PASS_SECONDS, body_seconds=PASS_SECONDS)
        async with client, asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[socket]))
            try:
                yield gate
            finally:
                server.drain()
