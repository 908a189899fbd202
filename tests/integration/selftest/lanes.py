"""Lanes of the self-test: each runs real processes through one fault and returns what its checker found, in words.

A lane knows nothing of seeded bugs but the name it hands to its processes; its checker reads topics, tables and the
client's receipts. Empty means: nothing lost, nothing doubled, no clock after its act.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from aiokafka import AIOKafkaConsumer
from joserfc.jwk import OKPKey

from deploy.local.keys import make_keys, variables_of_keys
from deploy.local.places import free_ports
from shared.contracts.envelope import headers_of
from shared.db.engine import Database, transaction
from shared.ids import new_id
from shared.stream.outbox import emit
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from shared.web.auth import ServiceTokens
from tests.integration.handoff.world import World, crew, member, world_of
from tests.integration.shared.stage import TABLES, erased, until
from tests.support.builders.handoff import identified, lead_id, qualified, rep_id

GREETER = "tests.integration.shared.greeter"
EVENTS = 100
LIVE_SECONDS = 60.0
DatabaseOf = Callable[[str], Awaitable[str]]


@dataclass
class Lane:
    """Where one lane runs, and which guarantee its processes lack (empty: none)."""

    database_of: DatabaseOf
    kafka: str
    topic_prefix: str
    folder: Path
    bug: str
    failpoints: list[dict[str, Any]] = field(default_factory=list)

    def fails_once(self, step: str, act: str, *, nth: int = 1) -> Callable[[], Awaitable[bool]]:
        """Arm one failpoint that fires in one process and not again after its restart; a stall lasts till the kill.

        Returns the question whether it fired.
        """
        once = self.folder / step.replace(":", "-")
        self.failpoints.append({"step": step, "act": act, "nth": nth, "once_file": str(once), "seconds": 600})

        async def fired() -> bool:
            return once.exists()

        return fired

    @contextmanager
    def process(self, module: str, *arguments: str, url: str) -> Iterator["Running"]:
        """One process of a service on this lane's database and topics, killed at the end."""
        api, internal = free_ports(2)
        environment = {
            **os.environ,
            **variables_of_keys(self.keys),
            "BATON_ENVIRONMENT": "test",
            "BATON_DATABASE_URL": url,
            "BATON_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "BATON_TOPIC_PREFIX": self.topic_prefix,
            "BATON_API_PORT": str(api),
            "BATON_INTERNAL_PORT": str(internal),
            "BATON_TEST_FAILPOINTS": json.dumps(self.failpoints),
            "BATON_TEST_SEEDED_BUG": self.bug,
            **{f"BATON_{service}_DATABASE_URL": url for service in ("SCORING", "INGEST", "HANDOFF")},
        }
        command = [sys.executable, "-m", "tests.support.seeded_bugs", module, *arguments]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            yield Running(process, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{internal}")
        finally:
            process.kill()
            process.wait()

    @property
    def keys(self) -> Path:
        """The lane's keys, made when first asked for."""
        folder = self.folder / "keys"
        if not folder.exists():
            make_keys(folder)
        return folder

    async def topics(self, *, partitions: int) -> None:
        await create_topics(self.kafka, partitions=partitions, replication=1, topic_prefix=self.topic_prefix)


@dataclass
class Running:
    """A process and its two addresses."""

    process: subprocess.Popen[bytes]
    api: str
    internal: str

    async def is_ready(self) -> bool:
        assert self.process.poll() is None, "the process ended"
        return (await self._get("/healthz/ready")).startswith("200")

    async def died(self) -> bool:
        return self.process.poll() is not None

    async def batches_ended(self) -> int:
        """How many batches this process has carried to an end, whichever; a dead one is at its end."""
        if self.process.poll() is not None:
            return sys.maxsize
        lines = (await self._get("/metrics")).splitlines()
        ends = [line for line in lines if line.startswith("baton_batches_total{")]
        return sum(int(float(line.rpartition(" ")[2])) for line in ends if '"committed"' in line or '"fenced"' in line)

    async def _get(self, path: str) -> str:
        async with httpx2.AsyncClient(base_url=self.internal, trust_env=False) as client:
            try:
                answer = await client.get(path)
            except httpx2.TransportError:
                return ""
            return f"{answer.status_code}\n{answer.text}"


async def sleeping_worker(lane: Lane) -> list[str]:
    """A worker falls asleep with a batch in its hand, another takes over and finishes; then the first wakes.

    It sleeps longer than the inbox keeps ids: only the fence knows that its batch is of yesterday.
    """
    url = await lane.database_of("scoring")
    await _greeter_tables(url)
    await lane.topics(partitions=1)
    is_asleep = lane.fails_once("batch:after_fetch", "freeze", nth=2)
    connection = await asyncpg.connect(url)
    with lane.process(GREETER, url=url) as sleeper:
        await until(sleeper.is_ready, within_seconds=LIVE_SECONDS)
        await _send(lane, [0])  # one record is one batch
        await until(_is(connection, "select sum(next_offset) = $1 from progress", 1))
        await _send(lane, range(1, EVENTS))
        await until(is_asleep)
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        with lane.process(GREETER, url=url) as successor:
            await until(_is(connection, "select sum(next_offset) = $1 from progress", EVENTS))
            await connection.execute("delete from inbox")
            successor.process.kill()
            sleeper.process.send_signal(signal.SIGCONT)

            async def is_over() -> bool:
                return await sleeper.batches_ended() > 1

            await until(is_over)
    return await _greeted(connection, range(EVENTS))


async def repeating_relay(lane: Lane) -> list[str]:
    """The relay dies when its round is published and read, but not yet moved: its successor publishes it again."""
    lane.fails_once("relay:after_ack", "stall")
    url, connection = await _greeter_with_outbox(lane)
    with lane.process(GREETER, url=url) as first:
        await until(first.is_ready, within_seconds=LIVE_SECONDS)
        await until(_is(connection, "select sum(next_offset) = $1 from progress", EVENTS))
    return await _published_by_the_next(lane, url, connection)


async def killed_relay(lane: Lane) -> list[str]:
    """The relay dies when half of a round was handed to the broker."""
    lane.fails_once("relay:mid_send", "kill")
    url, connection = await _greeter_with_outbox(lane)
    with lane.process(GREETER, url=url) as first:
        await until(first.died, within_seconds=LIVE_SECONDS)
    return await _published_by_the_next(lane, url, connection)


async def killed_door(lane: Lane) -> list[str]:
    """The front door dies while deliveries come in one after the other; whoever got a 2xx must be on the topic."""
    url = await lane.database_of("ingest")
    await lane.topics(partitions=2)
    lane.fails_once("accept:before_send", "kill", nth=40)
    receipts: list[str] = []
    answers: list[str] = []
    with lane.process("services.ingest.app", url=url) as door:
        await until(door.is_ready, within_seconds=LIVE_SECONDS)
        async with httpx2.AsyncClient(base_url=door.api, trust_env=False) as client:
            key = await _write_key(lane, client)
            while door.process.poll() is None:
                message = str(new_id())
                event = {"type": "track", "event": "Seen", "userId": "u", "messageId": message}
                try:
                    answer = await client.post("/v1/track", json=event, headers={"authorization": f"Bearer {key}"})
                except httpx2.TransportError:
                    break
                answers.append(f"{answer.status_code} {answer.text}")
                if answer.status_code == httpx2.codes.OK:
                    receipts.append(message)
    assert receipts, f"the door took nothing before it died: {answers}"
    kept = b"".join(await _values(lane, "deliveries")).decode()
    return [f"answered with 2xx and not on the topic: {one}" for one in receipts if one not in kept]


async def clock_left_armed(lane: Lane) -> list[str]:
    """The clock of a state that is over was left armed, as a lost race or a careless release would leave it; it is due.

    The token tells it from a clock of the present state.
    """
    async with world_of(lane.database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.accept(handoff.id, handoff.owner_id)
        await _execute(world, "update clock set state = 'armed', ended_at = null, cause = null where kind = 'accept'")
        await world.advance(hours=1)
        with lane.process("services.handoff.app", "--role", "clocks", url=world.url):

            async def nothing_is_due() -> bool:
                due = await world.rows("select 1 from clock where state = 'armed' and fire_at <= baton_now()")
                return not due

            await until(nothing_is_due, within_seconds=LIVE_SECONDS)
        late = await world.rows(
            "select e.clock_id, e.level from escalation e join clock c on c.id = e.clock_id"
            " join handoff h on h.id = c.handoff_id where c.kind = 'accept' and e.fired_at > h.accepted_at"
        )
        return [f"clock {row.clock_id} fired rung {row.level} after the acceptance that stops it" for row in late]


# ---- parts of the lanes
async def _greeter_tables(url: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in TABLES:
        await connection.execute(statement)
    await connection.close()


async def _greeter_with_outbox(lane: Lane) -> tuple[str, asyncpg.Connection]:
    """A greeter's database with events that wait to be published; it will read them itself."""
    url = await lane.database_of("scoring")
    await _greeter_tables(url)
    await lane.topics(partitions=2)
    database = Database(url, pool_size=1)
    async with transaction(database, "periodic") as tx:
        emit(tx, *(erased(number) for number in range(EVENTS)))
    await database.close()
    return url, await asyncpg.connect(url)


async def _published_by_the_next(lane: Lane, url: str, connection: asyncpg.Connection) -> list[str]:
    """Let a fresh process publish and read all there is, and look at what was applied."""
    with lane.process(GREETER, url=url) as second:
        await until(second.is_ready, within_seconds=LIVE_SECONDS)
        await until(_is(connection, "select count(*) = $1 from outbox", 0))
        there = len(await _values(lane, "leads"))
        await until(_is(connection, "select sum(next_offset) = $1 from progress", there))
    return await _greeted(connection, range(EVENTS))


async def _send(lane: Lane, numbers: Iterable[int]) -> None:
    producer = Producer(lane.kafka, client_id="lane", topic_prefix=lane.topic_prefix)
    await producer.start()
    events = [erased(number) for number in numbers]
    records = [("leads", event.key, event.payload.to_json(), headers_of(event)) for event in events]
    await producer.send_all(records, deadline_seconds=20)
    await producer.stop()


async def _greeted(connection: asyncpg.Connection, numbers: Iterable[int]) -> list[str]:
    """Each event applied exactly once, by id."""
    rows = await connection.fetch("select event_id from applied")
    await connection.close()
    times = Counter(row["event_id"] for row in rows)
    found = [f"event {number} was applied {times[erased(number).id]} times" for number in numbers]
    return [complaint for complaint in found if not complaint.endswith("was applied 1 times")]


def _is(connection: asyncpg.Connection, sql: str, value: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return bool(await connection.fetchval(sql, value))

    return holds


async def _values(lane: Lane, topic: str) -> list[bytes]:
    """The value of every record of a topic, repeats too."""
    client = AIOKafkaConsumer(
        lane.topic_prefix + topic,
        bootstrap_servers=lane.kafka,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await client.start()
    try:
        where = list(client.assignment())
        ends = await client.end_offsets(where)
        found: list[bytes] = []
        while any([await client.position(one) < ends[one] for one in where]):
            for records in (await client.getmany(timeout_ms=500)).values():
                found.extend(record.value for record in records)
        return found
    finally:
        await client.stop()


async def _write_key(lane: Lane, client: httpx2.AsyncClient) -> str:
    signing = OKPKey.import_key((lane.keys / "cli.pem").read_bytes())
    token = ServiceTokens("cli", signing_key=signing, public_keys={}).make(audience="ingest")
    made = await client.post(
        "/v1/sources",
        json={"sender": "segment", "name": "site", "keys": ["server_key"]},
        headers={"authorization": f"Bearer {token}", "idempotency-key": str(new_id())},
    )
    assert made.status_code == httpx2.codes.CREATED, made.text
    return str(made.json()["keys"][0]["key"])


async def _execute(world: World, sql: str, **values: object) -> None:
    async with transaction(world.database, "periodic") as tx:
        await tx.execute(sql, values)
