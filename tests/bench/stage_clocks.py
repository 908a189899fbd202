"""How late a clock fires with a million others armed: 1,000 rungs a second fall due, and each is a real rung.

One handoff is opened and assigned by the use cases themselves, then copied in SQL: the rows are what the service would
have written. A firing locks lead, handoff and clock, moves the clock to its next rung, and writes escalation, notice,
audit line and event. Late is from the instant it was due to PostgreSQL's own commit time. BATON_BENCH_CLOCKS makes it
smaller.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from services.handoff.consumer import HANDLERS
from shared.clock import machine_now
from shared.db.engine import Database, transaction
from shared.stream.topics import create_topics
from tests.bench.figures import Figure, of_rounds, quantile, say
from tests.bench.rig import Rig, rig, wait_for
from tests.bench.sales import hire
from tests.support.builders.handoff import identified, qualified

ARMED = int(os.environ.get("BATON_BENCH_CLOCKS", "1000000"))
PER_SECOND = 1_000
SECONDS = 10
FIRES = PER_SECOND * SECONDS
LEAD_SECONDS = 3
COPIES_AT_ONCE = 100_000
WAIT_SECONDS = 120
# What differs between copies; every other column is copied.
_OWN_IDS = {
    "lead": {"id": "lead_id", "root_id": "lead_id"},
    "handoff": {"id": "handoff_id", "lead_id": "lead_id", "root_lead_id": "lead_id", "scope_id": "lead_id"},
    "clock": {"id": "clock_id", "handoff_id": "handoff_id"},
}
_IDS = """
create table bench_copy as
select number, gen_random_uuid() as lead_id, gen_random_uuid() as handoff_id, gen_random_uuid() as clock_id
  from generate_series(1, $1::int) as number
"""
# A clock is moved as a whole, as if it had been armed at another time.
_MOVED = """
update clock set fire_at = fire_at + $1::interval, armed_at = armed_at + $1, base_at = base_at + $1,
       due_at = due_at + $1, due_at_first = due_at_first + $1
"""
# The chosen clocks fall due one by one.
_DUE = """
update clock c set fire_at = w.due, armed_at = c.armed_at + (w.due - c.fire_at),
       base_at = c.base_at + (w.due - c.fire_at), due_at = c.due_at + (w.due - c.fire_at),
       due_at_first = c.due_at_first + (w.due - c.fire_at)
  from (select clock_id, $1::timestamptz + (number - $2::int) * interval '1 second' / $3::int as due
          from bench_copy where number > $2 and number <= $2 + $4::int) as w
 where c.id = w.clock_id
"""
_LATE = """
select extract(epoch from pg_xact_commit_timestamp(e.xmin)
               - ($1::timestamptz + (b.number - $2::int) * interval '1 second' / $3::int)) * 1000 as late
  from escalation e join bench_copy b on b.clock_id = e.clock_id where b.number > $2 and b.number <= $2 + $4::int
"""


def run(rounds: int) -> list[Figure]:
    """Rounds over one filled database; each takes other clocks."""
    with rig() as servers:
        measured = asyncio.run(_rounds(servers, rounds))
    note = f"{ARMED} armed, {FIRES} due within {SECONDS} s; handoff with its roles clocks and relay"

    def figure(name: str, key: str, unit: str = "ms") -> Figure:
        return of_rounds("clocks", name, unit, [one[key] for one in measured], is_better="lower")

    late = [one["p99"] for one in measured]
    return [
        figure("lateness to commit, p50", "p50"),
        of_rounds("clocks", "lateness to commit, p99", "ms", late, is_better="lower", gate=60, aim=30, note=note),
        figure("CPU a firing, ours", "ours", "us"),
        figure("CPU a firing, PostgreSQL", "postgres", "us"),
    ]


async def _rounds(servers: Rig, rounds: int) -> list[dict[str, float]]:
    url = await servers.database("bench_clocks", "handoff")
    await create_topics(servers.kafka.address, partitions=4, replication=1)
    await _open_one(url)
    connection = await asyncpg.connect(url)
    try:
        await _copy(connection)
        variables = {
            "BATON_ENVIRONMENT": "local",
            "BATON_HANDOFF_DATABASE_URL": url,
            "BATON_KAFKA_BOOTSTRAP_SERVERS": servers.kafka.address,
        }
        servers.start("handoff", "services.handoff.app", "--role", "clocks,relay", variables=variables)
        await wait_for(lambda: _beats(connection))
        measured = [await _round(servers, connection, number * FIRES) for number in range(rounds)]
        servers.end("handoff", signal.SIGTERM)
        return measured
    finally:
        await connection.close()


async def _open_one(url: str) -> None:
    """A lead, its handoff, an assignment and its clocks, by the consumer's own use cases."""
    database = Database(url, pool_size=1)
    try:
        agreement = await hire(database)
        for event in (agreement, identified("bench"), qualified("bench", at=machine_now())):
            async with transaction(database, "batch") as tx:
                await HANDLERS.by_type[event.type](tx, [event])
    finally:
        await database.close()


async def _copy(connection: asyncpg.Connection) -> None:
    """Copies of the one lead, handoff and accept clock, ARMED of them, armed and not due for hours."""
    await connection.execute("set synchronous_commit = off")
    await connection.execute(_MOVED, timedelta(days=1))
    await connection.execute(_IDS, ARMED)
    await connection.execute("create index on bench_copy (number)")
    for table, own in _OWN_IDS.items():
        rows = await connection.fetch(
            "select column_name from information_schema.columns where table_name = $1 order by ordinal_position", table
        )
        names = [row["column_name"] for row in rows]
        values = ", ".join(f"b.{own[name]}" if name in own else f't."{name}"' for name in names)
        listed = ", ".join(f'"{name}"' for name in names)
        which = "t.kind = 'accept'" if table == "clock" else "true"
        source = f'(select * from "{table}" t where {which} order by id limit 1) as t'  # noqa: S608 - names of ours
        for start in range(0, ARMED, COPIES_AT_ONCE):
            await connection.execute(
                f'insert into "{table}" ({listed}) select {values} from {source}, bench_copy b '  # noqa: S608
                "where b.number > $1 and b.number <= $2",
                start,
                start + COPIES_AT_ONCE,
            )
            say(f"  {table}: {min(start + COPIES_AT_ONCE, ARMED)}")
    await connection.execute("vacuum analyze")


async def _beats(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("select exists (select from clock_tick where name = 'clocks')"))


async def _round(servers: Rig, connection: asyncpg.Connection, first: int) -> dict[str, float]:
    start = machine_now() + timedelta(seconds=LEAD_SECONDS)
    await connection.execute(_DUE, start, first, PER_SECOND, FIRES)
    before = servers.cpu()

    async def is_done() -> bool:
        return len(await _late(connection, start, first)) >= FIRES

    await wait_for(is_done, within_seconds=WAIT_SECONDS, look_seconds=1)
    after = servers.cpu()
    late = await _late(connection, start, first)
    cost = {name: (after[name] - before[name]) / FIRES * 1e6 for name in before}
    return {**cost, "p50": quantile(late, 0.5), "p99": quantile(late, 0.99)}


async def _late(connection: asyncpg.Connection, start: datetime, first: int) -> Sequence[float]:
    rows = await connection.fetch(_LATE, start, first, PER_SECOND, FIRES)
    return [float(row["late"]) for row in rows]
