"""The batch transaction: fence, inbox, use cases, outbox, one commit (RELIABILITY 3.3).

And the same for one event that is parked.

The fence is a compare-and-set on `progress`: a worker that lost its partition matches no row, and nothing of its
batch stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

from shared.contracts.envelope import Event
from shared.db.engine import Database, Tx, transaction
from shared.stream import parked
from shared.stream.decode import Received
from shared.stream.handlers import ParkError
from shared.telemetry import announce, consuming

__all__ = ["Applied", "Fenced", "Position", "Verdict", "apply_batch", "mark_start", "park_one"]


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one event is parked."""

    slug: str
    detail: str
    is_ours: bool = True
    source: str = ""


_FENCE = text(
    """
    update progress set next_offset = :next, worker = :worker, moved_at = now()
     where consumer = :consumer and topic = :topic and partition = :partition and next_offset = :expected
    """
)
_INBOX = text(
    """
    insert into inbox (consumer, event_id) select :consumer, event_id from unnest(:event_ids) as row (event_id)
    on conflict do nothing returning event_id
    """
).bindparams(bindparam("event_ids", type_=ARRAY(Uuid)))
_MARK = text(
    """
    insert into batch_start as b (consumer, topic, partition, "offset", starts)
    values (:consumer, :topic, :partition, :offset, 1)
    on conflict (consumer, topic, partition) do update
       set starts = case when b."offset" = excluded."offset" then b.starts + 1 else 1 end, "offset" = excluded."offset"
    returning starts
    """
)


async def apply_batch(database: Database, position: Position, received: Sequence[Received]) -> Applied:
    """Apply consecutive records (not empty) and move the position behind them, in one transaction.

    Raises Fenced when the position is not ours, ParkError for a record that is no event, and whatever a use case
    raises.
    """
    flaw = next((one.flaw for one in received if one.flaw is not None), None)
    if flaw is not None:
        raise ParkError(flaw, "unreadable")
    wanted = [one for one in received if one.usecase is not None]
    parents = [one.event.traceparent for one in wanted if isinstance(one.event, Event)]
    with consuming(f"consume {position.topic}", parents):
        return await _apply(database, position, received, wanted)


async def _apply(
    database: Database, position: Position, received: Sequence[Received], wanted: Sequence[Received]
) -> Applied:
    async with transaction(database, "batch") as tx:
        await _fence(tx, position, received)
        new = await _new_ids(tx, position.consumer, [one.event_id for one in wanted])
        fresh = _first_of_each(wanted, new)
        for usecase, run in groupby(fresh, key=lambda one: one.usecase):
            assert usecase is not None
            await usecase(tx, [one.event for one in run])
        await announce("batch:after_save")
    return Applied(len(fresh), len(wanted) - len(fresh), len(received) - len(wanted))


async def park_one(database: Database, position: Position, received: Received, verdict: Verdict) -> bool:
    """Move past one event and keep it as parked, in one transaction. False when it was a repeat, or only counted."""
    async with transaction(database, "park") as tx:
        await _fence(tx, position, [received])
        is_new = bool(await _new_ids(tx, position.consumer, [received.event_id]))
        kept = is_new and await parked.keep(
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
    async with transaction(database, "batch_start") as tx:
        marked = await tx.execute(
            _MARK,
            {
                "consumer": position.consumer,
                "topic": position.topic,
                "partition": position.partition,
                "offset": offset,
            },
        )
        return int(marked.scalar_one())


async def _fence(tx: Tx, position: Position, received: Sequence[Received]) -> None:
    moved = await tx.execute(
        _FENCE,
        {
            "consumer": position.consumer,
            "topic": position.topic,
            "partition": position.partition,
            "worker": position.worker,
            "expected": received[0].record.offset,
            "next": received[-1].record.offset + 1,
        },
    )
    if moved.rowcount != 1:
        raise Fenced(position.place)
    await announce("batch:after_fence")


async def _new_ids(tx: Tx, consumer: str, event_ids: Sequence[UUID]) -> frozenset[UUID]:
    if not event_ids:
        return frozenset()
    rows = await tx.execute(_INBOX, {"consumer": consumer, "event_ids": list(event_ids)})
    new = frozenset(rows.scalars())
    await announce("batch:after_inbox")
    return new


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
