"""The price of one effect per event: our consumer runtime, one trivial aggregate, inbox, fence and offset included.

Fills the topic, starts the process, and divides the CPU it and PostgreSQL burnt until the lag is gone by the events.
"""

import asyncio
import signal
from datetime import timedelta

import asyncpg

from shared.clock import machine_now
from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event, headers_of, value_of
from shared.contracts.kinds import ActivityKind, Channel, Direction, VerifiedBy
from shared.db.migrate import migrate
from shared.ids import derived_id
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from tests.bench.anchor import bare_microseconds, beside_bare
from tests.bench.figures import Figure, of_rounds
from tests.bench.lean.tally import TABLE
from tests.bench.rig import Rig, rig, wait_for

EVENTS = 100_000
LEADS = 20_000
ROUND_RECORDS = 1_000


def run(rounds: int) -> list[Figure]:
    """Rounds over one pair of servers, each into a database of its own."""
    with rig() as servers:
        asyncio.run(_fill(servers))
        measured = [asyncio.run(_round(servers, number)) for number in range(rounds)]
    note = f"{EVENTS} events of {LEADS} leads, batches of at most 500, 4 partitions"
    in_all = [one["ours"] + one["postgres"] for one in measured]
    return [
        of_rounds("stream", "CPU an event, ours", "us", [one["ours"] for one in measured], is_better="lower"),
        of_rounds("stream", "CPU an event, PostgreSQL", "us", [one["postgres"] for one in measured], is_better="lower"),
        *beside_bare(
            "stream", "CPU an event in all", in_all, [one["bare"] for one in measured], gate=27, aim=19, note=note
        ),
        of_rounds("stream", "events a second", "1/s", [one["rate"] for one in measured], is_better="higher"),
    ]


async def _fill(servers: Rig) -> None:
    await create_topics(servers.kafka.address, partitions=4, replication=1)
    producer = Producer(servers.kafka.address, client_id="bench", linger_ms=0)
    await producer.start()
    try:
        records = []
        for number in range(EVENTS):
            event = _event(number)
            records.append(("activities", event.key, value_of(event), headers_of(event)))
            if len(records) == ROUND_RECORDS:
                await producer.send_all(records, deadline_seconds=30)
                records.clear()
    finally:
        await producer.stop()


def _event(number: int) -> Event[ActivityRecorded]:
    lead_id = derived_id("bench lead", number % LEADS)
    at = machine_now() - timedelta(seconds=number % 86_400)
    payload = ActivityRecorded(
        activity_id=derived_id("bench activity", number),
        lead_id=lead_id,
        member_id=lead_id,
        kind=ActivityKind.PAGE_VIEW,
        direction=Direction.MARKETING,
        recorded_at=at,
        occurred_at=at,
        human=1.0,
        verified_by=VerifiedBy.SERVER_KEY,
        source_id=derived_id("bench source"),
        sender="segment",
        channel=Channel.WEB,
        page_path="/pricing",
        content="pricing",
    )
    return Event.first(payload, source="/baton/ingest", occurred_at=at, recorded_at=at, id=derived_id("bench", number))


async def _round(servers: Rig, number: int) -> dict[str, float]:
    bare = await bare_microseconds(servers)
    database = f"bench_stream_{number}"
    admin = await asyncpg.connect(f"{servers.postgres.url}postgres")
    await admin.execute(f'create database "{database}"')
    await admin.close()
    await migrate(f"{servers.postgres.url}{database}", "scoring")
    connection = await asyncpg.connect(f"{servers.postgres.url}{database}")
    try:
        await connection.execute(TABLE)
        variables = {
            "BATON_ENVIRONMENT": "local",
            "BATON_SCORING_DATABASE_URL": f"{servers.postgres.url}{database}",
            "BATON_KAFKA_BOOTSTRAP_SERVERS": servers.kafka.address,
            "BATON_INSTANCE": str(number),
        }
        running = servers.start("tally", "tests.bench.lean.tally", variables=variables)

        async def has_begun() -> bool:
            return bool(await connection.fetchval("select coalesce(sum(next_offset), 0) > 0 from progress"))

        async def is_done() -> bool:
            done = await connection.fetchval("select coalesce(sum(next_offset), 0) from progress")
            return int(done or 0) >= EVENTS

        await wait_for(has_begun)
        loop = asyncio.get_running_loop()
        before, began = servers.cpu(), loop.time()
        first = int(await connection.fetchval("select sum(next_offset) from progress") or 0)
        await wait_for(is_done)
        after, seconds = servers.cpu(), loop.time() - began
        counted = await connection.fetchval("select sum(activities) from tally")
        assert counted == EVENTS, f"{counted} of {EVENTS} were counted"
        assert running.pid
        servers.end("tally", signal.SIGTERM)
    finally:
        await connection.close()
    events = EVENTS - first
    return {
        "bare": bare,
        "ours": (after["ours"] - before["ours"]) / events * 1e6,
        "postgres": (after["postgres"] - before["postgres"]) / events * 1e6,
        "rate": events / seconds,
    }
