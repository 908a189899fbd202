"""A real HTTP receiver on a local port: keeps every request, answers by a script, and may wait before it does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

__all__ = ["Received", "Receiver", "Reply", "receiving"]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came: header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiver answers; headers may repeat a name. gate: awaited before the answer leaves."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    gate: Callable[[], Awaitable[object]] | None = None


@dataclass
class Receiver:
    """The script is used up reply by reply; the last one stays in force."""

    script: list[Reply] = field(default_factory=lambda: [Reply()])
    received: list[Received] = field(default_factory=list)
    url: str = ""
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, count: int, *, within_seconds: float = 30) -> None:
        """Wait until so many requests came."""
        async with asyncio.timeout(within_seconds), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        headers = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        async with self.arrived:
            self.received.append(Received(head[0].split(" ")[1], headers, body))
            self.arrived.notify_all()
        if reply.gate is not None:
            await reply.gate()
        lines = [f"HTTP/1.1 {reply.status} Scripted", f"content-length: {len(reply.body)}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + reply.body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(*script: Reply) -> AsyncIterator[Receiver]:
    """A receiver on a free port until the block ends."""
    receiver = Receiver(list(script) or [Reply()])
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
