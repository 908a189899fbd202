"""Pools with their fairness ledger under the routing lock, queues, and the records of routing decisions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from services.handoff.domain.copies import replace
from services.handoff.domain.sla import Terms
from services.handoff.domain.things import Member, Pool, Rep, RouteResult
from services.handoff.store.reps import Busyness, Crew, RepRow, lock_for_routing
from services.handoff.store.rows import Put
from services.handoff.tables import pool, routing_decision
from shared.db.engine import ReadTx, Tx
from shared.ids import AccountId, DecisionId, HandoffId, UserId

__all__ = [
    "Ground",
    "credit_members",
    "decision_row",
    "lock_ground",
    "put_decisions",
    "reps_for_routing",
    "rooms",
    "routing_decisions",
    "save_ledger",
]

_LOCK_POOLS = select(pool).order_by(pool.c.name).with_for_update()
# With what waits in the queues, and who owns the accounts asked for: both are read under the routing lock. Members have
# no lock of their own: nobody changes one without that of its pool.
_MEMBERS = text(
    """
    select m.*, one.*
      from (select exists (select from handoff where state = 'queued' and queue = any(cast(:queues as text[])))
                       as is_anybody_waiting,
                   (select jsonb_object_agg(account_id, rep_id) from account_owner
                     where account_id = any(cast(:accounts as uuid[]))) as owners) as one
      left join member m on true
     order by m.pool, m.rep_id
    """
)
_SAVE = text(
    """
    with sequences as (
        update pool p set sequence = n.sequence
          from unnest(cast(:names as text[]), cast(:sequences as bigint[])) as n (name, sequence)
         where p.name = n.name),
    members as (
        update member m set received = n.received, credited = n.credited, entitled = n.entitled
          from unnest(cast(:pools as text[]), cast(:reps as uuid[]), cast(:received as bigint[]),
                      cast(:credited as bigint[]), cast(:entitled as bigint[]))
               as n (pool, rep_id, received, credited, entitled)
         where m.pool = n.pool and m.rep_id = n.rep_id)
    update rep set load = load + n.change,
           moved = case when n.change > 0 and (is_away or not is_active) then 'left' else moved end
      from unnest(cast(:ids as uuid[]), cast(:changes as integer[])) as n (id, change) where rep.id = n.id
    """
)
_CREDIT = text("update member set credited = credited + 1 where pool = :pool and rep_id = :rep")
_MONTH = timedelta(days=30)  # the agreement's leads_per_30_days


@dataclass(frozen=True, slots=True)
class Ground:
    """What a round begins with, under the routing lock: the pools, whether anybody waits, and who owns accounts."""

    pools: dict[str, Pool]
    is_anybody_waiting: bool
    owners: Mapping[AccountId, UserId]


async def lock_ground(
    tx: Tx, terms: Terms, *, queues: Sequence[str] = (), accounts: Iterable[AccountId] = ()
) -> Ground:
    """Lock all pools of the agreement, in order; pools it names without rows are empty.

    queues: the waiting places looked into. accounts: whose owners are asked for; those without one are absent. Members'
    taken_30_days are filled in by reps_for_routing.
    """
    rows = (await tx.execute(_LOCK_POOLS)).all()
    found = (await tx.execute(_MEMBERS, {"queues": list(queues), "accounts": sorted(set(accounts))})).all()
    pools = {each.name: Pool(each.name, (), tuple(each.skills)) for each in terms.document.routing.pools}
    for row in (each for each in rows if each.is_active):
        own = tuple(_member(each) for each in found if each.pool == row.name)
        pools[row.name] = Pool(row.name, own, tuple(row.skills), row.sequence)
    owners = {AccountId(UUID(one)): UserId(UUID(rep)) for one, rep in (found[0].owners or {}).items()}
    return Ground(pools, found[0].is_anybody_waiting, owners)


async def reps_for_routing(
    tx: Tx, pools: Mapping[str, Pool], crew: Crew, *, others: Iterable[UserId], load_changes: Mapping[UserId, int]
) -> tuple[dict[str, Pool], dict[UserId, Rep], Crew]:
    """The reps of all pools and the others named, locked in id order; the pools with their monthly counts; the crew.

    load_changes: what this transaction has moved and not yet written.
    """
    wanted = {one.rep_id for each in pools.values() for one in each.members} | set(others)
    crew, busy = await lock_for_routing(tx, crew, wanted, since=tx.now - _MONTH)
    reps = {
        rep_id: _rep(crew.reps[rep_id], crew, load_change=load_changes.get(rep_id, 0), holding=each.holding)
        for rep_id, each in busy.items()
    }
    nobody = Busyness()
    counted = {
        name: replace(
            each,
            members=tuple(replace(one, taken_30_days=busy.get(one.rep_id, nobody).taken) for one in each.members),
        )
        for name, each in pools.items()
    }
    return counted, reps, crew


async def rooms(tx: ReadTx, load_changes: Mapping[UserId, int]) -> list[tuple[UserId, str]]:
    """Who may hold one more, in which active pool, with what this transaction has not yet written."""
    rows = await tx.execute(
        """
        select m.rep_id, m.pool, m.load_max, r.load
          from member m join pool p on p.name = m.pool join rep r on r.id = m.rep_id
         where m.is_member and p.is_active and r.is_active and not r.is_away
        """
    )
    return [
        (UserId(row.rep_id), row.pool)
        for row in rows.all()
        if row.load + load_changes.get(row.rep_id, 0) < row.load_max
    ]


async def save_ledger(tx: Tx, pools: Mapping[str, Pool], load_changes: Mapping[UserId, int]) -> None:
    """Save the pools that rounds changed, and move the loads of reps; the caller holds the locks of both.

    A rep who left while it was given something leaves again, so that what follows from it is done for this too.
    """
    moved = {rep_id: change for rep_id, change in load_changes.items() if change}
    if not pools and not moved:
        return
    members = [one for name in sorted(pools) for one in pools[name].members]
    await tx.execute(
        _SAVE,
        {
            "names": list(pools),
            "sequences": [pools[name].sequence for name in pools],
            "pools": [one.pool for one in members],
            "reps": [one.rep_id for one in members],
            "received": [one.received for one in members],
            "credited": [one.credited for one in members],
            "entitled": [one.entitled for one in members],
            "ids": list(moved),
            "changes": list(moved.values()),
        },
    )


async def credit_members(tx: Tx, given: Collection[tuple[str, UserId]]) -> None:
    """Give bad leads back to reps in their pools' ledgers; locks all pools first, as a round does."""
    if not given:
        return
    await tx.execute(_LOCK_POOLS)
    for pool_name, rep_id in sorted(given):
        await tx.execute(_CREDIT, {"pool": pool_name, "rep": rep_id})


def put_decisions(results: Sequence[RouteResult], terms: Terms, *, now: datetime) -> Put:
    """The decision records, to be written: what was read, asked and answered."""
    rows = [
        {
            "id": each.need.decision_id,
            "handoff_id": each.need.about,
            "lead_id": each.need.lead.id,
            "decided_at": now,
            "agreement_id": terms.agreement_id,
            "agreement_version": terms.version,
            "rep_id": each.rep_id,
            "queue": each.queue,
            "pool": each.pool,
            "reason": each.reason,
            "record": dict(each.record),
        }
        for each in results
    ]
    return Put(routing_decision, rows, "once")


async def decision_row(tx: ReadTx, decision_id: UUID) -> Row[Any] | None:
    """One decision record, or None."""
    statement = select(routing_decision).where(routing_decision.c.id == decision_id)
    return (await tx.execute(statement)).first()


async def routing_decisions(tx: ReadTx, handoff_id: UUID) -> list[DecisionId]:
    """The decisions made for one handoff, oldest first."""
    statement = (
        select(routing_decision.c.id)
        .where(routing_decision.c.handoff_id == handoff_id)
        .order_by(routing_decision.c.decided_at, routing_decision.c.id)
    )
    return [DecisionId(each) for each in (await tx.execute(statement)).scalars()]


def _rep(row: RepRow, crew: Crew, *, load_change: int, holding: tuple[HandoffId, ...]) -> Rep:
    why_off = crew.why_off(row.id)
    return Rep(
        id=row.id,
        team_id=row.team_id,
        is_on=why_off is None,
        why_off=why_off,
        load=row.load + load_change,
        holding=holding,
        languages=row.languages,
        skills=row.skills,
        calendar=crew.calendar_of(row.id).name,
    )


def _member(row: Row[Any]) -> Member:
    return Member(
        pool=row.pool,
        rep_id=UserId(row.rep_id),
        weight=row.weight,
        load_max=row.load_max,
        leads_per_30_days=row.leads_per_30_days,
        received=row.received,
        credited=row.credited,
        entitled=row.entitled,
        is_member=row.is_member,
    )
