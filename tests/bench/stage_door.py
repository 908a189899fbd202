"""The front door against the barest program under the same server: CPU a request, and its tail at half of its rate.

One Segment event a request, everything on: key check, rates (raised by their settings), outline, metrics, and the
acknowledgement of Kafka before the answer. Product and bare take turns, so a busy machine disturbs both alike.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from itertools import count, repeat

import orjson
from cryptography.fernet import Fernet, MultiFernet

from services.ingest.usecases.sources import create_source
from shared.clock import sleep
from shared.db.engine import Database, transaction
from shared.stream.topics import create_topics
from tests.bench.cpu import cpu_seconds
from tests.bench.figures import Figure, of_rounds, quantile
from tests.bench.load import Load, paced, request_bytes, saturate
from tests.bench.rig import Rig, rig, wait_for

SECONDS = 5.0
WARM_UP_SECONDS = 2.0
CONNECTIONS = 32
DATABASE = "bench_door"
HALF = 0.5

Bodies = Callable[[], bytes]


def run(rounds: int) -> list[Figure]:
    """Rounds of bare and product by turns, each process started once."""
    with rig() as servers:
        measured = asyncio.run(_rounds(servers, rounds))
    ratios = [one["bare"] / one["ours"] for one in measured]
    note = (
        f"{CONNECTIONS} connections, one event a request; ratio = CPU of bare / CPU of ours, all threads of the process"
    )

    def figure(name: str, key: str, unit: str = "us") -> Figure:
        is_better = "higher" if unit == "1/s" else "lower"
        return of_rounds("door", name, unit, [one[key] for one in measured], is_better=is_better)

    return [
        figure("CPU a request, bare", "bare"),
        figure("CPU a request, product", "ours"),
        figure("CPU a request, Kafka", "kafka"),
        of_rounds("door", "bare / product", "x", ratios, is_better="higher", gate=0.25, aim=0.33, note=note),
        figure("requests a second, saturated (generator beside it)", "rate", "1/s"),
        figure("p50 at half of that rate", "p50", "ms"),
        figure("p99 at half of that rate", "p99", "ms"),
    ]


async def _rounds(servers: Rig, rounds: int) -> list[dict[str, float]]:
    key = await _prepare(servers)
    bare = servers.start("bare", "tests.bench.lean.bare", variables={})
    ours = servers.start("ingest", "services.ingest.app", "--role", "api", variables=_variables(servers))
    ports = {name: servers.api_ports[name] for name in ("bare", "ingest")}
    plain, event = _plain(), _events(key)
    for name, bodies in (("bare", plain), ("ingest", event)):
        await _answers(ports[name], bodies)
        await saturate(ports[name], bodies, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
    measured = []
    for _ in range(rounds):
        bare_us, _ = await _cost(bare.pid, ports["bare"], plain)
        kafka_before = servers.cpu()["kafka"]
        ours_us, load = await _cost(ours.pid, ports["ingest"], event)
        kafka_us = (servers.cpu()["kafka"] - kafka_before) / load.answers * 1e6
        rate = load.answers / load.seconds
        slow = await paced(
            ports["ingest"], _each(event), per_second=rate * HALF, seconds=SECONDS, connections=CONNECTIONS
        )
        _check(slow)
        p50, p99 = (quantile(slow.latencies, share) * 1000 for share in (0.5, 0.99))
        measured.append({"bare": bare_us, "ours": ours_us, "kafka": kafka_us, "rate": rate, "p50": p50, "p99": p99})
    for name in ("bare", "ingest"):
        servers.end(name, signal.SIGTERM)
    return measured


async def _prepare(servers: Rig) -> str:
    """A database with one source; its key."""
    url = await servers.database(DATABASE, "ingest")
    await create_topics(servers.kafka.address, partitions=4, replication=1)
    database = Database(url, pool_size=1)
    try:
        async with transaction(database, "periodic") as tx:
            _, keys = await create_source(
                tx, sender="segment", name="bench", settings={}, key_kinds=["server_key"], secret=None,
                wrapping=MultiFernet([Fernet(Fernet.generate_key())]),
            )  # fmt: skip
    finally:
        await database.close()
    return keys[0].value


def _variables(servers: Rig) -> dict[str, str]:
    return {
        "BATON_ENVIRONMENT": "local",
        "BATON_INGEST_DATABASE_URL": f"{servers.postgres.url}{DATABASE}",
        "BATON_KAFKA_BOOTSTRAP_SERVERS": servers.kafka.address,
        "BATON_INGEST_SERVER_KEY_RATE": "1000000",
        "BATON_INGEST_DOOR_FOLDER": str(servers.folder / "door"),
    }


def _plain() -> Bodies:
    request = request_bytes("POST", "/", b"x" * 300, {"content-type": "application/json"})
    return repeat(request).__next__


def _events(key: str) -> Bodies:
    """A fresh page view of one of 10,000 people each time, as Segment's server libraries send it."""
    numbers = count()

    def body() -> bytes:
        number = next(numbers)
        event = {
            "type": "page",
            "messageId": f"bench-{number}",
            "userId": f"person-{number % 10_000}",
            "timestamp": "2026-11-01T10:00:00.000Z",
            "properties": {"path": "/pricing", "title": "Pricing", "url": "https://www.example.com/pricing"},
            "context": {"library": {"name": "analytics-python", "version": "2.3.0"}},
        }
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}", "user-agent": "bench/1"}
        return request_bytes("POST", "/v1/page", orjson.dumps(event), headers)

    return body


def _each(bodies: Bodies) -> Iterator[bytes]:
    while True:
        yield bodies()


async def _answers(port: int, bodies: Bodies) -> None:
    """Wait until the server says 2xx."""

    async def is_open() -> bool:
        try:
            load = await saturate(port, bodies, connections=1, seconds=0.01)
        except OSError:
            return False
        return set(load.statuses) <= {200, 204}

    await wait_for(is_open)
    await sleep(0.5)


async def _cost(pid: int, port: int, bodies: Bodies) -> tuple[float, Load]:
    before = cpu_seconds([pid])
    load = await saturate(port, bodies, connections=CONNECTIONS, seconds=SECONDS)
    _check(load)
    return (cpu_seconds([pid]) - before) / load.answers * 1e6, load


def _check(load: Load) -> None:
    assert set(load.statuses) <= {200, 204}, f"answers: {load.statuses}"
