"""The batch transaction: fence, inbox, use cases, outbox, one commit (RELIABILITY 3.3).

And the same for one event that is parked.

The fence is a compare-and-set on `progress`: a worker that lost its partition matches no row, and nothing of its
batch stays. Fence and inbox are one statement, which also tells the time; records that nobody here handles only move
the position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.contracts.envelope import Event
from shared.db.connection import Connection
from shared.db.engine import Database, transaction
from shared.stream import parked
from shared.stream.decode import Received
from shared.stream.handlers import ParkError
from shared.stream.verdicts import Verdict
from shared.telemetry import announce, consuming

__all__ = ["Applied", "Fenced", "Position", "apply_batch", "mark_start", "move_on", "park_one"]


class Fenced(Exception):
    """Our position is not the partition's: another worker moved it, or our own commit of unknown result took place."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a worker believes a consumer's partition stands. topic is without prefix."""

    consumer: str
    topic: str
    partition: int
    worker: str

    @property
    def log_place(self) -> tuple[str, int]:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def place(self) -> str:
        """Topic and partition as one text."""
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of the records of one committed batch."""

    handled: int
    repeats: int
    skipped: int


_MOVE = """
    update progress set next_offset = :next, worker = :worker, moved_at = now()
     where consumer = :consumer and topic = :topic and partition = :partition and next_offset = :expected
"""
# The inbox reads from the fence: where that matches no row, nothing is inserted. Repeats are found by the key, whatever
# the statement's snapshot shows.
_ENTER = text(
    f"""
    with fence as ({_MOVE} returning consumer),
    fresh as (
        insert into inbox (consumer, event_id)
        select fence.consumer, event_id from fence, unnest(cast(:event_ids as uuid[])) as row (event_id)
        on conflict do nothing returning event_id
    )
    select baton_now() as now, (select count(*) from fence) as moved, array(select event_id from fresh) as event_ids
    """  # noqa: S608 - constants of ours
)
_MARK = text(
    """
    insert into batch_start as b (consumer, topic, partition, "offset", starts)
    values (:consumer, :topic, :partition, :offset, 1)
    on conflict (consumer, topic, partition) do update
       set starts = case when b."offset" = excluded."offset" then b.starts + 1 else 1 end, "offset" = excluded."offset"
    returning starts
    """
)


async def apply_batch(
    database: Database, position: Position, received: Sequence[Received], *, stands_at: int | None = None
) -> Applied:
    """Apply consecutive records (not empty) and move the position behind them, in one transaction.

    stands_at: where `progress` stands, when records before these were skipped and it was not told yet. Raises Fenced
    when the position is not ours, ParkError for a record that is no event, and whatever a use case raises.
    """
    flaw = next((one.flaw for one in received if one.flaw is not None), None)
    if flaw is not None:
        raise ParkError(flaw, "unreadable")
    move = _Move.over(received, stands_at)
    wanted = [one for one in received if one.usecase is not None]
    if not wanted:
        await _move(database, position, move)
        return Applied(0, 0, len(received))
    parents = [one.event.traceparent for one in wanted if isinstance(one.event, Event)]
    with consuming(f"consume {position.topic}", parents):
        handled = await _apply(database, position, move, wanted)
    return Applied(handled, len(wanted) - handled, len(received) - len(wanted))


async def _apply(database: Database, position: Position, move: "_Move", wanted: Sequence[Received]) -> int:
    entry = _Entry(position, move, [one.event_id for one in wanted])
    async with transaction(database, "batch", first=entry.take) as tx:
        fresh = _first_of_each(wanted, entry.new)
        for usecase, run in groupby(fresh, key=lambda one: one.usecase):
            assert usecase is not None
            await usecase(tx, [one.event for one in run])
        await announce("batch:after_save")
    return len(fresh)


async def move_on(database: Database, position: Position, *, stands_at: int, next_offset: int) -> None:
    """Move the position behind records that nobody here handles. Raises Fenced when it is not ours."""
    await _move(database, position, _Move(stands_at, next_offset))


async def park_one(
    database: Database, position: Position, received: Received, verdict: Verdict, *, stands_at: int | None = None
) -> bool:
    """Move past one event and keep it as parked, in one transaction. False when it was a repeat, or only counted."""
    entry = _Entry(position, _Move.over([received], stands_at), [received.event_id])
    async with transaction(database, "park", first=entry.take) as tx:
        kept = bool(entry.new) and await parked.keep(
            tx,
            parked.Parked(
                consumer=position.consumer,
                topic=position.topic,
                partition=position.partition,
                received=received,
                slug=verdict.slug,
                detail=verdict.detail,
                is_ours=verdict.is_ours,
                source=verdict.source,
            ),
        )
        await announce("park:after_mark")
    return kept


async def mark_start(database: Database, position: Position, offset: int) -> int:
    """Note that a batch begins at an offset, before it does; returns how many times one has begun there."""
    await announce("batch_start:before_commit")
    async with database.connection() as connection:
        marked = await connection.execute(
            _MARK,
            {
                "consumer": position.consumer,
                "topic": position.topic,
                "partition": position.partition,
                "offset": offset,
            },
        )
        starts = int(marked.scalar_one())
    await announce("batch_start:after_commit")
    return starts


@dataclass(frozen=True, slots=True)
class _Move:
    """From where to where the position moves."""

    expected: int
    next: int

    @classmethod
    def over(cls, received: Sequence[Received], stands_at: int | None) -> "_Move":
        first, last = received[0].record.offset, received[-1].record.offset
        return cls(first if stands_at is None else stands_at, last + 1)


@dataclass(slots=True)
class _Entry:
    """The first statement of a batch: the fence, and which ids are new. Raises Fenced."""

    position: Position
    move: _Move
    event_ids: Sequence[UUID]
    new: frozenset[UUID] = frozenset()

    async def take(self, connection: Connection) -> datetime:
        """Enter; returns world time."""
        now, moved, new = await _enter(connection, _values(self.position, self.move), self.event_ids)
        if not moved:
            raise Fenced(self.position.place)
        await announce("batch:after_fence")
        self.new = frozenset(new)
        await announce("batch:after_inbox")
        return now


async def _enter(
    connection: Connection, values: Mapping[str, Any], event_ids: Sequence[UUID]
) -> tuple[datetime, bool, Sequence[UUID]]:
    """World time, whether the position was ours, and which ids are new."""
    row = (await connection.execute(_ENTER, {**values, "event_ids": event_ids})).one()
    return row.now, bool(row.moved), row.event_ids


async def _move(database: Database, position: Position, move: _Move) -> None:
    async with database.connection() as connection:
        moved = await connection.execute(_MOVE, _values(position, move))
    if moved.rowcount != 1:
        raise Fenced(position.place)


def _values(position: Position, move: _Move) -> dict[str, Any]:
    return {
        "consumer": position.consumer,
        "topic": position.topic,
        "partition": position.partition,
        "worker": position.worker,
        "expected": move.expected,
        "next": move.next,
    }


def _first_of_each(wanted: Sequence[Received], new: frozenset[UUID]) -> list[Received]:
    """Those whose id is new, each id once, in log order."""
    if len(new) == len(wanted):
        return list(wanted)
    left = set(new)
    fresh: list[Received] = []
    for one in wanted:
        if one.event_id in left:
            left.remove(one.event_id)
            fresh.append(one)
    return fresh
