"""The relay: the one publisher of a service.

Reads the outbox in id order, sends a round, and moves exactly what was acknowledged.

Any doubt leaves the round untouched: it is sent again from the oldest row, by the same producer, and the readers'
inboxes drop the repeats. The order proof is in RELIABILITY 3.5.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextClause, text

from shared.clock import sleep
from shared.config import ServiceSettings
from shared.db.engine import Database, ReadTx, is_transient
from shared.db.locks import LockNotGot, SessionLock, session_lock
from shared.db.outbox_rows import headers_from_text
from shared.db.runtime_ddl import SENT_SLOTS
from shared.ids import jitter
from shared.stream.flow import back_off_seconds
from shared.stream.producer import Producer, Unacked
from shared.telemetry import announce, count, gauge, log, producing

__all__ = ["Relay", "outbox_waiting"]

ROUND_ROWS = 1_000
ROUND_SECONDS = 10.0
STAND_BY_SECONDS = 1.0
BUSY_SECONDS, IDLE_SECONDS = 0.005, 0.250

_READ = text("select id, topic, key, headers, payload from outbox order by id limit :rows")
# What it reads for the next round is of the snapshot before the delete, so without the ids that leave. By list, never
# "id > last": a lower id may have been committed late.
_MOVE = text(
    f"""
    with gone as (
        delete from outbox where id = any(cast(:ids as bigint[])) returning id, topic, key, event_id, headers, payload
    ), sent as (
        insert into outbox_sent (slot, id, topic, key, event_id, headers, payload)
        select (current_date - date '2000-01-01') % {SENT_SLOTS}, id, topic, key, event_id, headers, payload from gone
    )
    select id, topic, key, headers, payload from outbox
     where id <> all(cast(:ids as bigint[])) order by id limit :rows
    """  # noqa: S608 - a constant of ours
)
_WAITING = text(
    """
    select count(*) as waiting, cast(coalesce(extract(epoch from now() - min(written_at)), 0) as float8) as age
      from outbox
    """
)


async def outbox_waiting(tx: ReadTx) -> int:
    """How many events are not yet published; sets the outbox metrics."""
    row = (await tx.execute(_WAITING)).one()
    gauge("baton_outbox_waiting_events", row.waiting)
    gauge("baton_outbox_lag_seconds", row.age)
    return int(row.waiting)


class Relay:
    """Publishes one database's outbox while it leads; others of its service wait for the lock."""

    def __init__(self, settings: ServiceSettings, database: Database) -> None:
        self._name = f"relay {settings.service}"
        self._database = database
        self._read: Sequence[Any] = []  # the rows of the next round, when moving the last one showed some
        self._producer = Producer(
            settings.kafka_bootstrap_servers,
            client_id=f"baton-{settings.service}-relay-{settings.instance}",
            linger_ms=0,
            topic_prefix=settings.topic_prefix,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Lead and publish until stopped; a lost lock or database means waiting to lead again."""
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(self._producer.keep_started(), name="relay-producer")
            tries = 0
            while not stop.is_set():
                try:
                    async with session_lock(self._database, self._name, wait_seconds=STAND_BY_SECONDS) as lock:
                        tries = 0
                        await self._lead(stop, lock)
                except LockNotGot:
                    continue
                except Exception as error:
                    if not is_transient(error):
                        raise
                    tries += 1
                    log.warning("relay_waits", reason=type(error).__name__, again=tries)
                    await sleep(back_off_seconds(tries, jitter=jitter()))
            starting.cancel()
        await self._producer.stop()

    async def start(self) -> None:
        """Start the producer alone, for one who calls `publish_round` himself."""
        await self._producer.start()

    async def stop(self) -> None:
        """Stop the producer; doing it twice is fine."""
        await self._producer.stop()

    async def _lead(self, stop: asyncio.Event, lock: SessionLock) -> None:
        async with asyncio.TaskGroup() as group:
            lost = group.create_task(lock.lost(), name="relay-lock")
            seconds, self._read = BUSY_SECONDS, []
            while not stop.is_set() and not lost.done():
                if not self._producer.is_started:
                    self._read = []
                was_woken = not self._read and await self._wait(seconds)
                if self._producer.is_started:
                    published = await self.publish_round()
                    # What another process wrote wakes nobody here: look again soon, while it goes on writing.
                    seconds = BUSY_SECONDS if published and not was_woken else IDLE_SECONDS
            lost.cancel()

    async def _wait(self, seconds: float) -> bool:
        """Wait for a commit that wrote events, at most so long; whether there was one."""
        written = self._database.outbox_written
        try:
            async with asyncio.timeout(seconds):
                await written.wait()
        except TimeoutError:
            return False
        written.clear()
        return True

    async def publish_round(self) -> int:
        """Publish the oldest rows and move them; returns how many. On any doubt nothing is moved, and 0 is returned.

        Moving a round reads the next one: at most one statement a round while rows keep coming.
        """
        rows, self._read = self._read, []
        if not rows:
            rows = await self._ask(_READ, {"rows": ROUND_ROWS})
        if not rows:
            return 0
        await announce("relay:after_read")
        records = [(row.topic, row.key, row.payload.encode(), headers_from_text(row.headers)) for row in rows]
        try:
            with producing("publish round"):
                await self._producer.send_all(records, deadline_seconds=ROUND_SECONDS, half_way="relay:mid_send")
        except Unacked as reason:
            log.warning("relay_round_unknown", rows=len(rows), reason=str(reason))
            return 0
        await announce("relay:after_ack")
        await announce("relay:before_move")
        self._read = await self._ask(_MOVE, {"ids": [row.id for row in rows], "rows": ROUND_ROWS})
        await announce("relay:after_move")
        count("baton_relayed_events_total", len(rows))
        return len(rows)

    async def _ask(self, statement: TextClause, values: dict[str, Any]) -> Sequence[Any]:
        """The rows a statement shows now; a commit after this wakes us again."""
        self._database.outbox_written.clear()
        async with self._database.connection() as connection:
            return (await connection.execute(statement, values)).all()
