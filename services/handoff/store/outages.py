"""Heartbeats and outages: a gap in machine time between two beats is a time in the world when nobody acted."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from shared.db.engine import Tx

__all__ = ["Beat", "beat", "note_outage"]

_BEAT = text(
    """
    with before as (select world_at, beaten_at, beaten_by from clock_tick where name = :name for update),
    beat as (
        insert into clock_tick (name, beaten_at, world_at, beaten_by)
        values (:name, now(), baton_now(), cast(:by as text))
        on conflict (name) do update
           set beaten_at = excluded.beaten_at, beaten_by = excluded.beaten_by,
               world_at = greatest(clock_tick.world_at, excluded.world_at)
        returning name
    )
    select before.world_at, before.beaten_by = :by as is_own,
           extract(epoch from now() - before.beaten_at) as machine_seconds
      from beat left join before on true
    """
)


@dataclass(frozen=True, slots=True)
class Beat:
    """The beat before this one: when it was in the world (None: never), how long ago in machine time, and whose."""

    world_before: datetime | None
    machine_seconds: float
    is_own: bool


async def beat(tx: Tx, name: str, *, by: str) -> Beat:
    """Beat now, as one of possibly several loops, and say when the last beat was."""
    row = (await tx.execute(_BEAT, {"name": name, "by": by})).one()
    return Beat(row.world_at, float(row.machine_seconds or 0), bool(row.is_own))


async def note_outage(tx: Tx, name: str, *, start: datetime, end: datetime) -> None:
    """Keep that nobody acted from start to end."""
    await tx.execute(
        text("insert into outage (name, started_at, ended_at, reason) values (:name, :start, :end, 'no heartbeat')"),
        {"name": name, "start": start, "end": max(start, end)},
    )
