"""Clocks: claimed and fired under one lock, saved whole; their escalations, and when something is due next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, bindparam, or_, select, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

from services.handoff.domain.lifecycle import Clock, ClockKind, ClockState
from services.handoff.domain.record import StoredClock
from services.handoff.domain.sla import Timing
from services.handoff.store.rows import Put, in_ids
from services.handoff.tables import clock, escalation, handoff
from shared.db.engine import ReadTx, Tx
from shared.ids import ClockId, HandoffId, UserId

__all__ = [
    "Claimed",
    "armed_in_calendars",
    "claim_due",
    "clocks_due_inside",
    "clocks_of",
    "due_count",
    "next_fire_at",
    "next_work",
    "put_clocks",
    "put_escalations",
    "release_held",
    "retract_escalations",
    "turns_taken",
]

_CLAIM = text(
    """
    select c.id, c.kind, c.number, c.token, c.token = h.token as is_valid, c.fire_at, h.id as handoff_id,
           h.lead_id, h.root_lead_id
      from clock c join handoff h on h.id = c.handoff_id join lead l on l.id = h.lead_id
     where c.state = 'armed' and c.fire_at <= baton_now() and c.fire_at >= :low_water
     order by c.fire_at limit :limit
       for update of l, h, c skip locked
    """
).bindparams(bindparam("low_water", type_=TIMESTAMP(timezone=True)))

_NEXT_WORK = text(
    """
    select (select min(fire_at) from clock where state = 'armed' and fire_at >= :low) as fire_at,
           (select min(case when state = 'planned' then from_at else until_at end) from absence
             where state in ('planned', 'begun')) as absence_at,
           exists (select from rep where moved is not null) as has_moved
    """
).bindparams(bindparam("low", type_=TIMESTAMP(timezone=True)))

_LOCK_TURNS = text("select pg_advisory_xact_lock(hashtextextended('turns' || chr(31) || :rep_id, 0))")
_TURNS = text(
    """
    select rep_id, ended_at as at from assignment
     where rep_id = any(:ids) and ended_how = 'expired' and ended_at > :since
     union all
    select rep_id, fire_at from clock
     where rep_id = any(:ids) and state = 'armed' and kind in ('accept', 'touch') and is_late_by_system and not is_held
       and fire_at > due_at and fire_at > baton_now()
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("since", type_=TIMESTAMP(timezone=True)))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A due clock whose lead, handoff and own row are locked. is_valid: it carries the handoff's token."""

    id: ClockId
    kind: ClockKind
    number: int
    token: int
    is_valid: bool
    fire_at: datetime
    handoff_id: HandoffId


async def claim_due(tx: Tx, *, low_water: datetime, limit: int) -> list[Claimed]:
    """Lock what is due, oldest first; waits for nobody: what somebody else holds is left for the next round."""
    rows = (await tx.execute(_CLAIM, {"low_water": low_water, "limit": limit})).all()
    return [
        Claimed(
            ClockId(row.id), ClockKind(row.kind), row.number, row.token, row.is_valid, row.fire_at,
            HandoffId(row.handoff_id),
        )
        for row in rows
    ]  # fmt: skip


async def turns_taken(tx: Tx, rep_ids: Sequence[UserId], *, since: datetime) -> dict[UserId, list[datetime]]:
    """Per rep when handoffs were taken from it after `since`, and when late clocks that wait for a turn will take more.

    Locks the turns of these reps, in the order given, until the commit.
    """
    for rep_id in rep_ids:
        await tx.execute(_LOCK_TURNS, {"rep_id": str(rep_id)})
    found: dict[UserId, list[datetime]] = {}
    for row in await tx.execute(_TURNS, {"ids": list(rep_ids), "since": since}):
        found.setdefault(UserId(row.rep_id), []).append(row.at)
    return found


async def clocks_of(tx: ReadTx, handoff_ids: Sequence[UUID]) -> dict[HandoffId, dict[int, StoredClock]]:
    """Per handoff the clocks that may still matter, by number: armed, missed touches, and what a pause carries."""
    if not handoff_ids:
        return {}
    statement = (
        select(clock)
        .join(handoff, handoff.c.id == clock.c.handoff_id)
        .where(in_ids(clock.c.handoff_id))
        .where(
            or_(
                clock.c.state == "armed",
                (clock.c.state == "breached") & (clock.c.kind == "touch"),
                handoff.c.is_paused & (clock.c.state == "void"),
            )
        )
    )
    found: dict[HandoffId, dict[int, StoredClock]] = {}
    for row in (await tx.execute(statement, {"ids": list(handoff_ids)})).all():
        found.setdefault(HandoffId(row.handoff_id), {})[row.number] = _stored(row)
    return found


async def armed_in_calendars(
    tx: Tx, *, calendars: Sequence[str], rep_ids: Sequence[UUID], after: UUID | None, limit: int
) -> list[HandoffId]:
    """Handoffs with an armed clock in one of the calendars or for one of the reps: one page, by id."""
    rows = await tx.execute(
        text(
            """
            select distinct handoff_id from clock
             where state = 'armed' and calendar <> 'wall' and (calendar = any(:calendars) or rep_id = any(:reps))
               and (cast(:after as uuid) is null or handoff_id > :after)
             order by handoff_id limit :limit
            """
        ),
        {"calendars": list(calendars), "reps": list(rep_ids), "after": after, "limit": limit},
    )
    return [HandoffId(each) for each in rows.scalars()]


async def clocks_due_inside(tx: Tx, start: datetime, end: datetime, *, limit: int) -> list[HandoffId]:
    """Handoffs with an armed, not yet postponed clock whose due instant lies in an outage."""
    rows = await tx.execute(
        text(
            """
            select distinct handoff_id from clock
             where state = 'armed' and not is_late_by_system and due_at between :start and :end limit :limit
            """
        ),
        {"start": start, "end": end, "limit": limit},
    )
    return [HandoffId(each) for each in rows.scalars()]


def put_clocks(rows: Iterable[tuple[HandoffId, StoredClock]]) -> Put:
    """Whole clocks to be written; their handoffs are locked."""
    return Put(clock, [_row(handoff_id, stored) for handoff_id, stored in rows], "whole")


def put_escalations(rows: Sequence[Mapping[str, Any]]) -> Put:
    """Rungs that fired: the primary key (clock, level) makes each happen once."""
    return Put(escalation, rows)


async def retract_escalations(tx: Tx, clock_ids: Sequence[UUID], *, now: datetime) -> None:
    """Late evidence took the escalations of these clocks back."""
    if clock_ids:
        await tx.execute(
            text("update escalation set retracted_at = :now where clock_id = any(:ids) and retracted_at is null"),
            {"ids": list(clock_ids), "now": now},
        )


async def release_held(tx: Tx) -> None:
    """The evidence moved on: what was held back for it is looked at again."""
    await tx.execute(
        "update clock set fire_at = least(fire_at, baton_now()), is_held = false where state = 'armed' and is_held"
    )


async def next_fire_at(tx: ReadTx) -> datetime | None:
    """The next instant at which an armed clock has a rung to fire."""
    found: datetime | None = (await tx.execute("select min(fire_at) from clock where state = 'armed'")).scalar()
    return found


async def next_work(tx: ReadTx, *, low_water: datetime) -> tuple[datetime | None, datetime | None, bool]:
    """In one look: the next rung of an armed clock from low_water on, the next absence to move, whether a rep moved."""
    row = (await tx.execute(_NEXT_WORK, {"low": low_water})).one()
    return row.fire_at, row.absence_at, row.has_moved


async def due_count(tx: ReadTx) -> int:
    """How many armed clocks have a rung that is due now."""
    statement = "select count(*) from clock where state = 'armed' and fire_at <= baton_now()"
    return int((await tx.execute(statement)).scalar_one())


def _stored(row: Row[Any]) -> StoredClock:
    return StoredClock(
        id=ClockId(row.id),
        clock=Clock(row.number, ClockKind(row.kind), row.token, row.level, row.level_at_arm, row.carries),
        state=ClockState(row.state),
        timing=Timing(
            calendar=row.calendar,
            calendar_version=row.calendar_version,
            base_at=row.base_at,
            armed_at=row.armed_at,
            used_seconds=row.used_seconds,
            total_seconds=row.total_seconds,
            fractions=tuple(row.fractions),
            actions=tuple(row.actions),
            due_at=row.due_at,
            is_late_by_system=row.is_late_by_system,
        ),
        due_at_first=row.due_at_first,
        fire_at=row.fire_at,
        rep_id=None if row.rep_id is None else UserId(row.rep_id),
        ended_at=row.ended_at,
        is_late_evidence=row.is_late_evidence,
        is_held=row.is_held,
        cause=row.cause,
    )


def _row(handoff_id: HandoffId, stored: StoredClock) -> dict[str, Any]:
    timing, value = stored.timing, stored.clock
    row = {name: getattr(timing, name) for name in Timing.__slots__}
    return row | {
        "id": stored.id,
        "handoff_id": handoff_id,
        "number": value.number,
        "kind": value.kind,
        "token": value.token,
        "state": stored.state,
        "level": value.level,
        "level_at_arm": value.level_at_arm,
        "carries": value.carries,
        "rep_id": stored.rep_id,
        "due_at_first": stored.due_at_first,
        "fire_at": stored.fire_at,
        "ended_at": stored.ended_at,
        "is_late_evidence": stored.is_late_evidence,
        "is_held": stored.is_held,
        "cause": stored.cause,
    }
