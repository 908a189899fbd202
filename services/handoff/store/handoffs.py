"""Handoffs: found and locked in id order with their clocks, saved whole; assignments, evidence, touches, audit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, TIMESTAMP, Row, Uuid, bindparam, select, text

from services.handoff.domain.lifecycle import ClockKind, Handoff, State
from services.handoff.domain.lifecycle.states import OPEN, Carried, Deal
from services.handoff.domain.record import StoredClock, Times
from services.handoff.store.clocks import clocks_of
from services.handoff.store.rows import Put, in_ids
from services.handoff.tables import assignment, evidence, handoff, handoff_event, note, touch
from services.handoff.tables.handoffs import OPEN_SQL
from shared.db.engine import ReadTx, Tx
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, UserId

__all__ = [
    "CHANGES_KEPT_DAYS",
    "Cycles",
    "Kept",
    "accounts_of_merged",
    "around",
    "empty_notes",
    "end_assignments",
    "ids_of_members",
    "ids_of_owner",
    "ids_of_people",
    "lead_of",
    "leads_of",
    "load_handoffs",
    "lock_handoffs",
    "mark_accepted",
    "owner_of",
    "pool_that_gave",
    "prune_changes",
    "put_assignments",
    "put_audit",
    "put_evidence",
    "put_handoffs",
    "put_notes",
    "put_touches",
    "waiting_ids",
]

# Who asks for what changed earlier reads all handoffs: that is a first copy, not news.
CHANGES_KEPT_DAYS = 8
_PRUNE_AT_ONCE = 50_000  # a day's firings of a busy desk, within an hour

# Per person and motion the highest cycle, and how many were opened since an instant.
Cycles = dict[tuple[LeadId, str], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A handoff as stored: its state, its times, and the clocks that may still matter, by number."""

    handoff: Handoff
    times: Times
    clocks: Mapping[int, StoredClock]
    changed_at: datetime


_WAITING = text(
    """
    select h.id from handoff h join lead l on l.id = h.lead_id
     where h.state = 'queued' and h.queue = any(:queues)
       and exists (select from unnest(cast(:reps as uuid[]), cast(:pools as text[])) as room (rep_id, pool)
                    where room.rep_id <> all(h.tried)
                      and (room.pool = h.pool or h.pool is null or not h.pool = any(:exclusive)))
     order by h.is_hand_raiser desc, h.priority desc, h.opened_at, h.id limit :limit
       for update of l, h skip locked
    """
)
_AROUND = text(
    f"""
    select id, root_lead_id, motion, cycle, true as is_own, {OPEN_SQL} as is_open, opened_at > :since as is_recent
      from handoff where root_lead_id = any(:roots)
     union all
    select id, root_lead_id, motion, cycle, false, true, false
      from handoff where scope_id = any(:scopes) and {OPEN_SQL}
    """  # noqa: S608 - our own constant
).bindparams(
    bindparam("roots", type_=ARRAY(Uuid)),
    bindparam("scopes", type_=ARRAY(Uuid)),
    bindparam("since", type_=TIMESTAMP(timezone=True)),
)
_LOCK = select(handoff).where(in_ids(handoff.c.id)).order_by(handoff.c.id).with_for_update()
_END_ASSIGNMENTS = text(
    """
    update assignment a set ended_at = :now, ended_how = n.word
      from unnest(cast(:ids as uuid[]), cast(:words as text[])) as n (id, word)
     where a.id = n.id and a.ended_at is null
    """
)
_READ = select(handoff).where(in_ids(handoff.c.id)).order_by(handoff.c.id)


async def lock_handoffs(tx: Tx, handoff_ids: Iterable[UUID]) -> dict[HandoffId, Kept]:
    """Lock handoffs in id order and load them with their clocks; unknown ids are absent. Their leads are locked."""
    wanted = sorted(set(handoff_ids))
    if not wanted:
        return {}
    return await _with_clocks(tx, (await tx.execute(_LOCK, {"ids": wanted})).all())


async def load_handoffs(tx: ReadTx, handoff_ids: Iterable[UUID]) -> dict[HandoffId, Kept]:
    """As lock_handoffs, without the lock: for reading."""
    wanted = sorted(set(handoff_ids))
    if not wanted:
        return {}
    return await _with_clocks(tx, (await tx.execute(_READ, {"ids": wanted})).all())


async def ids_of_people(tx: ReadTx, root_ids: Iterable[UUID]) -> list[HandoffId]:
    """Handoffs of these people that may still change: open ones, and each person's latest cycle per motion."""
    found = await tx.execute(
        text(
            f"""
            select id from handoff where root_lead_id = any(:roots) and {OPEN_SQL}
            union
            select id from (select distinct on (root_lead_id, motion) id from handoff where root_lead_id = any(:roots)
                             order by root_lead_id, motion, cycle desc) as latest
            """  # noqa: S608 - our own constant
        ),
        {"roots": list(root_ids)},
    )
    return [HandoffId(each) for each in found.scalars()]


async def around(
    tx: ReadTx, root_ids: Iterable[UUID], scope_ids: Iterable[UUID], *, since: datetime
) -> tuple[list[HandoffId], Cycles]:
    """As ids_of_people, and the open handoffs of these scopes (accounts or persons); with the cycles of the people."""
    asked = {"roots": list(root_ids), "scopes": list(scope_ids), "since": since}
    ids: set[HandoffId] = set()
    latest: dict[tuple[LeadId, str], HandoffId] = {}
    cycles: Cycles = {}
    for row in await tx.execute(_AROUND, asked):
        if row.is_open:
            ids.add(HandoffId(row.id))
        if row.is_own:
            place = (LeadId(row.root_lead_id), row.motion)
            highest, recent = cycles.get(place, (0, 0))
            if row.cycle > highest:
                latest[place] = HandoffId(row.id)
            cycles[place] = (max(highest, row.cycle), recent + row.is_recent)
    return sorted(ids | set(latest.values())), cycles


async def ids_of_owner(tx: ReadTx, rep_id: UserId) -> list[tuple[HandoffId, LeadId]]:
    """Handoffs a rep owns now, with their leads, in id order."""
    found = await tx.execute(text("select id, lead_id from handoff where owner_id = :rep order by id"), {"rep": rep_id})
    return [(HandoffId(row.id), LeadId(row.lead_id)) for row in found.all()]


async def waiting_ids(
    tx: Tx, queues: Sequence[str], *, rooms: Sequence[tuple[UserId, str]], exclusive: Collection[str], limit: int
) -> list[HandoffId]:
    """Queued handoffs that freed load may serve, hand-raisers first, oldest first, locked unless somebody has them.

    rooms: who may take one more, in which pool. One that only its own pool may serve (exclusive), or that all of them
    had already, would stand in front of the others for nothing.
    """
    found = await tx.execute(
        _WAITING,
        {
            "queues": list(queues),
            "reps": [rep_id for rep_id, _ in rooms],
            "pools": [pool for _, pool in rooms],
            "exclusive": list(exclusive),
            "limit": limit,
        },
    )
    return [HandoffId(each) for each in found.scalars()]


async def ids_of_members(tx: ReadTx, lead_ids: Iterable[UUID]) -> list[HandoffId]:
    """All handoffs opened for these members, whatever their root is now."""
    found = await tx.execute(text("select id from handoff where lead_id = any(:ids)"), {"ids": list(lead_ids)})
    return [HandoffId(each) for each in found.scalars()]


async def accounts_of_merged(tx: ReadTx, lead_ids: Iterable[UUID]) -> list[AccountId]:
    """The accounts in whose scope the handoffs of these leads stood that a merge ended: a split asks for them again."""
    found = await tx.execute(
        text(
            """
            select distinct scope_id from handoff
             where lead_id = any(:ids) and state = 'merged' and scope_id = account_id
            """
        ),
        {"ids": list(lead_ids)},
    )
    return [AccountId(each) for each in found.scalars()]


async def lead_of(tx: ReadTx, handoff_id: UUID) -> LeadId | None:
    """The lead a handoff was opened for, without a lock; None when there is no such handoff."""
    found = (await tx.execute(select(handoff.c.lead_id).where(handoff.c.id == handoff_id))).scalar()
    return None if found is None else LeadId(found)


async def owner_of(tx: ReadTx, handoff_id: UUID) -> UserId | None:
    """Who owns it now, without a lock; the reducer decides under one."""
    found = (await tx.execute(select(handoff.c.owner_id).where(handoff.c.id == handoff_id))).scalar()
    return None if found is None else UserId(found)


async def pool_that_gave(tx: ReadTx, handoff_id: UUID, rep_id: UserId) -> str | None:
    """The pool whose rotation last gave this handoff to a rep; None when none did."""
    statement = (
        select(assignment.c.pool)
        .where(assignment.c.handoff_id == handoff_id, assignment.c.rep_id == rep_id, assignment.c.pool.is_not(None))
        .order_by(assignment.c.attempt.desc())
    )
    found: str | None = (await tx.execute(statement)).scalar()
    return found


async def leads_of(tx: ReadTx, handoff_ids: Iterable[UUID]) -> list[LeadId]:
    """The leads these handoffs were opened for, without a lock."""
    found = select(handoff.c.lead_id).where(in_ids(handoff.c.id))
    return [LeadId(each) for each in (await tx.execute(found, {"ids": list(handoff_ids)})).scalars()]


async def empty_notes(tx: Tx, lead_ids: Iterable[UUID]) -> None:
    """Erased people: what was typed about them goes, that something was typed stays."""
    await tx.execute(
        text("update note set text = '' where handoff_id in (select id from handoff where lead_id = any(:ids))"),
        {"ids": list(lead_ids)},
    )


def put_handoffs(kept: Iterable[tuple[Handoff, Times, bool]], *, now: datetime) -> list[Put]:
    """Whole rows to be written, each given with whether it was open before; the parts one after the other.

    First those that leave an open state, then those that stay open (and may leave a scope), then those that open: so
    the open one per scope and person is one at every moment.
    """
    groups: tuple[list[dict[str, Any]], ...] = ([], [], [])
    for value, times, was_open in sorted(kept, key=lambda each: each[0].id):
        group = 0 if value.state not in OPEN else 1 if was_open else 2
        groups[group].append(_row(value, times, now))
    return [Put(handoff, rows, "whole") for rows in groups if rows]


async def prune_changes(tx: Tx) -> None:
    """Forget the oldest changes, a bounded number at once; a use case of `every`."""
    await tx.execute(
        text(
            """
            delete from handoff_change where ctid = any(array(
                select ctid from handoff_change where changed_at < baton_now() - make_interval(days => :days)
                 limit :limit))
            """
        ),
        {"days": CHANGES_KEPT_DAYS, "limit": _PRUNE_AT_ONCE},
    )


def put_assignments(rows: Sequence[Mapping[str, Any]]) -> Put:
    """Assignments that begin; the ones they follow have been ended before."""
    return Put(assignment, rows)


async def end_assignments(tx: Tx, ended: Sequence[tuple[UUID, str]], *, now: datetime) -> None:
    """End current assignments by id, each with how it ended; of one named twice the first word holds."""
    if ended:
        words = dict(reversed(ended))
        await tx.execute(_END_ASSIGNMENTS, {"ids": list(words), "words": list(words.values()), "now": now})


async def mark_accepted(tx: Tx, assignment_ids: Sequence[UUID], *, now: datetime) -> None:
    """Note when assignments were accepted."""
    if assignment_ids:
        await tx.execute(
            text("update assignment set accepted_at = :now where id = any(:ids)"),
            {"ids": list(assignment_ids), "now": now},
        )


def put_evidence(rows: Sequence[Mapping[str, Any]]) -> Put:
    """Why it was qualified; a qualification counts once."""
    return Put(evidence, rows, "once")


def put_touches(rows: Sequence[Mapping[str, Any]]) -> Put:
    """Human tries of Sales; an activity counts once."""
    return Put(touch, rows, "once")


def put_notes(rows: Sequence[Mapping[str, Any]]) -> Put:
    """What people typed."""
    return Put(note, rows)


def put_audit(rows: Sequence[Mapping[str, Any]]) -> Put:
    """Every input with its verdict, in order."""
    return Put(handoff_event, rows)


async def _with_clocks(tx: ReadTx, rows: Sequence[Row[Any]]) -> dict[HandoffId, Kept]:
    clocks = await clocks_of(tx, [row.id for row in rows])
    return {HandoffId(row.id): _kept(row, clocks.get(HandoffId(row.id), {})) for row in rows}


def _kept(row: Row[Any], clocks: Mapping[int, StoredClock]) -> Kept:
    armed = tuple(clocks[number].clock for number in sorted(clocks) if clocks[number].ended_at is None)
    value = Handoff(
        id=HandoffId(row.id),
        lead_id=LeadId(row.lead_id),
        root_lead_id=LeadId(row.root_lead_id),
        account_id=None if row.account_id is None else AccountId(row.account_id),
        scope_id=row.scope_id,
        motion=row.motion,
        product=row.product,
        tier=row.tier,
        policy=row.policy,
        cycle=row.cycle,
        decision_id=DecisionId(row.decision_id),
        propensity=row.propensity,
        is_hand_raiser=row.is_hand_raiser,
        state=State(row.state),
        token=row.token,
        seq=row.seq,
        priority=row.priority,
        owner_id=_user(row.owner_id),
        former_owner_id=_user(row.former_owner_id),
        attempt=row.attempt,
        tried=tuple(UserId(each) for each in row.tried),
        pool=row.pool,
        queue=row.queue,
        queue_reason=row.queue_reason,
        queue_level=row.queue_level,
        evidence=row.evidence,
        pauses=row.pauses,
        is_paused=row.is_paused,
        carried=tuple(Carried(each[0], ClockKind(each[1]), each[2]) for each in row.carried),
        clocks=armed,
        clocks_made=row.clocks_made,
        breached_at_token=row.breached_at_token,
        missed_touches=tuple(row.missed_touches),
        result=row.result,
        reason_code=row.reason_code,
        deals=tuple(Deal(None if each[0] is None else UUID(each[0]), *each[1:]) for each in row.deals),
        has_deal=row.has_deal,
        merged_into=None if row.merged_into is None else HandoffId(row.merged_into),
        is_superseded=row.is_superseded,
    )
    times = Times(**{name: getattr(row, name) for name in Times.__slots__})
    return Kept(value, times, clocks, row.changed_at)


def _user(value: UUID | None) -> UserId | None:
    return None if value is None else UserId(value)


_PLAIN = tuple(
    name for name in Handoff.__slots__ if name not in {"clocks", "carried", "deals", "tried", "missed_touches"}
)


def _row(value: Handoff, times: Times, now: datetime) -> dict[str, Any]:
    row = {name: getattr(value, name) for name in _PLAIN}
    row |= {name: getattr(times, name) for name in Times.__slots__}
    return row | {
        "carried": [[each.number, each.kind, each.level] for each in value.carried],
        "deals": [[each.id, each.version, each.result, each.reason_code] for each in value.deals],
        "tried": list(value.tried),
        "missed_touches": list(value.missed_touches),
        "changed_at": now,
    }
