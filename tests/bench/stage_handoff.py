"""From the door's answer to a committed assignment with its clock armed: three services, three topics, three commits.

500 webhooks a second by schedule (BATON_BENCH_WEBHOOKS); one in twenty asks for a demonstration and is routed, the
others are page views. The end is PostgreSQL's own commit time of the assignment, the beginning the moment the sender
had its answer. When one is not assigned in time, the stage says how far each got.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson
from cryptography.fernet import Fernet, MultiFernet

from services.ingest.usecases.sources import create_source
from shared.clock import machine_now, sleep
from shared.contracts.envelope import headers_of, value_of
from shared.db.engine import Database, transaction
from shared.ids import derived_id
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from tests.bench.figures import Figure, of_rounds, quantile, say
from tests.bench.load import Load, paced, request_bytes, saturate
from tests.bench.rig import Rig, rig, wait_for
from tests.bench.sales import hire

PER_SECOND = int(os.environ.get("BATON_BENCH_WEBHOOKS", "500"))
SECONDS = 20
WARM_UP_SECONDS = 5
SETTLE_SECONDS = 5
VISITORS = 4 * PER_SECOND  # all of them known after the warm-up: a new person costs several times as much
ONE_IN = 20
CONNECTIONS = 64
SERVICES = ("ingest", "scoring", "handoff")
ROLES = {"ingest": "", "scoring": "", "handoff": "consumer,relay,clocks,periodic"}
# Where a missing activity got to, by service.
TRACED = 5
_WAITING = (
    "select count(*) as outbox from outbox",
    "select topic, sum(next_offset) as done, max(stopped_because) as stopped from progress group by topic",
    "select event_type, reason, detail, count(*) from parked group by 1, 2, 3",
)
_FAR = {
    "ingest": (
        *_WAITING,
        (
            "select (payload::jsonb)->>'activity_id' as activity, key as lead, sent_at from outbox_sent"
            " where topic = 'activities' and ((payload::jsonb)->>'activity_id')::uuid = any($1)"
        ),
    ),
    "scoring": (
        *_WAITING,
        (
            "select a.activity_id, a.lead_id, a.kind, l.standing, l.shown from activity a join lead l using (lead_id)"
            " where a.activity_id = any($1)"
        ),
    ),
    "handoff": (
        *_WAITING,
        "select handoff_id, activities from evidence where activities && $1",
        "select state, queue, queue_reason, count(*) from handoff group by 1, 2, 3",
        "select kind, verdict, why, count(*) from handoff_event group by 1, 2, 3",
    ),
}


def run(rounds: int) -> list[Figure]:
    """Rounds over one running set of services."""
    with rig() as servers:
        measured = asyncio.run(_rounds(servers, rounds))
    note = f"{PER_SECOND} webhooks/s for {SECONDS} s, 1 in {ONE_IN} is routed; generator and all on this machine"

    def figure(name: str, key: str, unit: str = "ms") -> Figure:
        return of_rounds("handoff", name, unit, [one[key] for one in measured], is_better="lower")

    return [
        figure("door's answer, p50", "door_p50"),
        figure("door's answer, p99", "door_p99"),
        figure("answer -> assigned and armed, p50", "p50"),
        of_rounds(
            "handoff",
            "answer -> assigned and armed, p99",
            "ms",
            [one["p99"] for one in measured],
            is_better="lower",
            gate=150,
            aim=60,
            note=note,
        ),
        figure("CPU a webhook, our three processes", "ours", "us"),
        figure("CPU a webhook, PostgreSQL", "postgres", "us"),
        figure("CPU a webhook, Kafka", "kafka", "us"),
    ]


async def _rounds(servers: Rig, rounds: int) -> list[dict[str, float]]:
    urls = {name: await servers.database(f"bench_{name}", name) for name in SERVICES}
    await create_topics(servers.kafka.address, partitions=4, replication=1)
    key, source_id = await _source(urls["ingest"])
    await _agree(servers, urls["handoff"])
    for name in SERVICES:
        roles = ["--role", ROLES[name]] if ROLES[name] else []
        servers.start(name, f"services.{name}.app", *roles, variables=_variables(servers, urls))
    connection = await asyncpg.connect(urls["handoff"])
    try:
        await wait_for(lambda: _is_ready(servers, connection, key))
        bodies = _bodies(key)
        await _drive(servers, bodies, seconds=WARM_UP_SECONDS)
        await sleep(SETTLE_SECONDS)
        return [await _round(servers, connection, bodies, source_id, number) for number in range(rounds)]
    finally:
        await connection.close()
        for name in SERVICES:
            servers.end(name, signal.SIGTERM)


async def _source(url: str) -> tuple[str, UUID]:
    database = Database(url, pool_size=1)
    try:
        async with transaction(database, "periodic") as tx:
            source_id, keys = await create_source(
                tx, sender="segment", name="bench", settings={"consent": "granted"}, key_kinds=["server_key"],
                secret=None, wrapping=MultiFernet([Fernet(Fernet.generate_key())]),
            )  # fmt: skip
    finally:
        await database.close()
    return keys[0].value, source_id


async def _agree(servers: Rig, url: str) -> None:
    database = Database(url, pool_size=1)
    producer = Producer(servers.kafka.address, client_id="bench", linger_ms=0)
    await producer.start()
    try:
        event = await hire(database)
        await producer.send("agreements", event.key, value_of(event), headers_of(event), deadline_seconds=30)
    finally:
        await producer.stop()
        await database.close()


def _variables(servers: Rig, urls: dict[str, str]) -> dict[str, str]:
    return {
        "BATON_ENVIRONMENT": "local",
        "BATON_KAFKA_BOOTSTRAP_SERVERS": servers.kafka.address,
        "BATON_INGEST_SERVER_KEY_RATE": "1000000",
        **{f"BATON_{name.upper()}_DATABASE_URL": url for name, url in urls.items()},
    }


def _bodies(key: str) -> Iterator[bytes]:
    number = 0
    while True:
        path, event = _request(number)
        event["messageId"] = f"bench-{number}"
        event["timestamp"] = machine_now().isoformat()
        yield request_bytes("POST", path, orjson.dumps(event), _headers(key))
        number += 1


def _headers(key: str) -> dict[str, str]:
    return {"content-type": "application/json", "authorization": f"Bearer {key}", "user-agent": "bench/1"}


def _request(number: int) -> tuple[str, dict[str, object]]:
    if number % ONE_IN:
        page = {"path": "/product", "title": "Product", "url": "https://www.example.com/product"}
        return "/v1/page", {"type": "page", "userId": f"visitor-{number % VISITORS}", "properties": page}
    # A title that reaches the agreement's floor for fit: below it a hand-raiser waits for a person, in manual_review.
    form = {"email": f"person@company{number}.example", "title": "VP of Sales", "company": f"Company {number}"}
    return "/v1/track", {"type": "track", "event": "Demo Requested", "userId": f"buyer-{number}", "properties": form}


async def _is_ready(servers: Rig, connection: asyncpg.Connection, key: str) -> bool:
    """Whether handoff decides by the agreement with reps, and the door keeps what it is sent."""
    version = await connection.fetchval("select max(version) from active")
    if version != 2:
        return False
    path, event = _request(1)
    knock = request_bytes("POST", path, orjson.dumps(event), _headers(key))
    try:
        load = await saturate(servers.api_ports["ingest"], lambda: knock, connections=1, seconds=1)
    except OSError:
        return False
    return set(load.statuses) == {200}


async def _drive(servers: Rig, bodies: Iterator[bytes], *, seconds: float) -> Load:
    load = await paced(
        servers.api_ports["ingest"], bodies, per_second=PER_SECOND, seconds=seconds, connections=CONNECTIONS
    )
    assert set(load.statuses) <= {200, 503}, f"answers: {load.statuses}"
    return load


async def _round(
    servers: Rig, connection: asyncpg.Connection, bodies: Iterator[bytes], source_id: UUID, number: int
) -> dict[str, float]:
    first = PER_SECOND * (WARM_UP_SECONDS + number * SECONDS)
    before = servers.cpu()
    load = await _drive(servers, bodies, seconds=SECONDS)
    answered = {
        derived_id(source_id, f"bench-{first + each}"): at
        for each, at in load.answered_at.items()
        if (first + each) % ONE_IN == 0
    }

    async def are_routed() -> bool:
        return answered.keys() <= (await _commits(connection)).keys()

    try:
        await wait_for(are_routed, look_seconds=0.5)
    except TimeoutError:
        missing = answered.keys() - (await _commits(connection)).keys()
        say(f"  {len(missing)} of {len(answered)} are not assigned; {await _traces(servers, sorted(missing)[:TRACED])}")
        raise
    after = servers.cpu()
    committed = await _commits(connection)
    waits = [(committed[each] - at).total_seconds() * 1000 for each, at in answered.items()]
    say(f"  {len(waits)} routed, slowest {max(waits):.0f} ms; answers {load.statuses}")
    cost = {name: (after[name] - before[name]) / load.answers * 1e6 for name in before}
    door = {f"door_p{share}": quantile(load.latencies, share / 100) * 1000 for share in (50, 99)}
    return {**cost, **door, "p50": quantile(waits, 0.5), "p99": quantile(waits, 0.99)}


async def _traces(servers: Rig, activity_ids: list[UUID]) -> str:
    """How far each activity came: the door's normaliser, the score, the handoff; and what still waits anywhere."""
    found: dict[str, object] = {}
    for name, statements in _FAR.items():
        connection = await asyncpg.connect(f"{servers.postgres.url}bench_{name}")
        try:
            for sql in statements:
                rows = await connection.fetch(sql, activity_ids) if "$1" in sql else await connection.fetch(sql)
                found[f"{name}: {sql}"] = [dict(row) for row in rows]
        finally:
            await connection.close()
    return "\n".join(f"    {name} -> {rows}" for name, rows in found.items())


async def _commits(connection: asyncpg.Connection) -> dict[UUID, datetime]:
    """When the assignment of each qualifying activity was committed, with its clock."""
    rows = await connection.fetch(
        """
        select unnest(e.activities) as activity_id, pg_xact_commit_timestamp(a.xmin) as committed_at
          from evidence e join assignment a on a.handoff_id = e.handoff_id and a.attempt = 1
         where exists (select from clock c where c.handoff_id = e.handoff_id and c.state = 'armed')
        """
    )
    return {UUID(str(row["activity_id"])): row["committed_at"] for row in rows}
