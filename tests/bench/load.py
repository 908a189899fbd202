"""Two generators: one keeps a server saturated (cost), one sends by schedule (latency, charged to the server).

Plain sockets and prepared bytes, so that the generator costs little. Both are bounded in time and connections, and talk
to 127.0.0.1 only.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from shared.clock import machine_now, monotonic, sleep

__all__ = ["Load", "paced", "request_bytes", "saturate"]

CONNECTIONS_MAX = 128
SECONDS_MAX = 120


@dataclass(slots=True)
class Load:
    """What came back: answers by status, latencies in seconds (from the scheduled moment when paced).

    answered_at: when paced, the machine's time of each 2xx, by the request's number.
    """

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    answered_at: dict[int, datetime] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def answers(self) -> int:
        """All answers, whatever their status."""
        return sum(self.statuses.values())

    def note(self, status: int, latency: float) -> None:
        """Count one answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(latency)


def request_bytes(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One HTTP/1.1 request, kept alive."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def saturate(port: int, bodies: Callable[[], bytes], *, connections: int, seconds: float) -> Load:
    """Each connection sends its next request as soon as the last is answered."""
    assert connections <= CONNECTIONS_MAX
    assert seconds <= SECONDS_MAX
    load = Load()
    started = monotonic()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while monotonic() - started < seconds:
            sent = monotonic()
            writer.write(bodies())
            load.note(await _answer(reader), monotonic() - sent)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    load.seconds = monotonic() - started
    return load


async def paced(port: int, bodies: Iterator[bytes], *, per_second: float, seconds: float, connections: int) -> Load:
    """Requests leave by schedule; a stall of the server is charged to it, since latency counts from the schedule."""
    assert connections <= CONNECTIONS_MAX
    assert seconds <= SECONDS_MAX
    load = Load()
    due: asyncio.Queue[tuple[int, float, bytes] | None] = asyncio.Queue()
    started = monotonic()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (one := await due.get()) is not None:
            number, at, request = one
            writer.write(request)
            status = await _answer(reader)
            load.note(status, monotonic() - at)
            if status < 300:
                load.answered_at[number] = machine_now()
        writer.close()

    clients = [asyncio.ensure_future(client()) for _ in range(connections)]
    for number in range(int(per_second * seconds)):
        at = started + number / per_second
        if (early := at - monotonic()) > 0:
            await sleep(early)
        due.put_nowait((number, at, next(bodies)))
    for _ in clients:
        due.put_nowait(None)
    await asyncio.gather(*clients)
    load.seconds = monotonic() - started
    return load


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = 0
    for line in head.split(b"\r\n")[1:]:
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    if length:
        await reader.readexactly(length)
    return status
