"""Heartbeats and outages: a gap in machine time between two beats is a time in the world when nobody acted."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

from shared.db.engine import ReadTx, Tx

__all__ = ["OUTAGE_SECONDS", "Beat", "beat", "gaps_since", "note_outage"]

# A gap longer than this without any clock loop is an outage.
OUTAGE_SECONDS = 60.0

_BEFORE = text(
    """
    select world_at, beaten_by = :by as is_own, extract(epoch from now() - beaten_at) as machine_seconds
      from clock_tick where name = :name for update
    """
)
_BEAT = text(
    """
    insert into clock_tick (name, beaten_at, world_at, beaten_by) values (:name, now(), baton_now(), :by)
    on conflict (name) do update
       set beaten_at = excluded.beaten_at, beaten_by = excluded.beaten_by,
           world_at = greatest(clock_tick.world_at, excluded.world_at)
    """
)
_GAPS = text(
    """
    select started_at, ended_at from outage where ended_at >= :since
     union all
    select world_at, baton_now() from clock_tick
     where name = 'clocks' and now() - beaten_at > make_interval(secs => :outage_seconds) and world_at < baton_now()
    """
).bindparams(bindparam("since", type_=TIMESTAMP(timezone=True)))


@dataclass(frozen=True, slots=True)
class Beat:
    """The beat before this one: when it was in the world (None: never), how long ago in machine time, and whose."""

    world_before: datetime | None
    machine_seconds: float
    is_own: bool


async def beat(tx: Tx, name: str, *, by: str) -> Beat:
    """Beat now, as one of possibly several loops, and say when the last beat was."""
    before = (await tx.execute(_BEFORE, {"name": name, "by": by})).first()
    await tx.execute(_BEAT, {"name": name, "by": by})
    if before is None:
        return Beat(None, 0.0, is_own=False)
    return Beat(before.world_at, float(before.machine_seconds), is_own=before.is_own)


async def note_outage(tx: Tx, name: str, *, start: datetime, end: datetime) -> None:
    """Keep that nobody acted from start to end."""
    await tx.execute(
        text("insert into outage (name, started_at, ended_at, reason) values (:name, :start, :end, 'no heartbeat')"),
        {"name": name, "start": start, "end": max(start, end)},
    )


async def gaps_since(tx: ReadTx, since: datetime) -> list[tuple[datetime, datetime]]:
    """When nobody acted: outages that ended since then, and the one that lasts while no clock loop beats."""
    rows = await tx.execute(_GAPS, {"since": since, "outage_seconds": OUTAGE_SECONDS})
    return [(row.started_at, row.ended_at) for row in rows]
