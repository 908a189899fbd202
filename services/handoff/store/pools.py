"""Pools with their fairness ledger under the routing lock, queues, and the records of routing decisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from services.handoff.domain.fairness import credit
from services.handoff.domain.sla import Terms
from services.handoff.domain.things import Member, Pool, Rep, RouteResult
from services.handoff.store.reps import Crew, RepRow, holding_and_taken, lock_reps
from services.handoff.store.rows import insert_rows
from services.handoff.tables import member, pool, routing_decision
from shared.db.engine import ReadTx, Tx
from shared.ids import DecisionId, UserId

__all__ = [
    "credit_member",
    "decision_row",
    "lock_pools",
    "reps_for_routing",
    "rooms",
    "routing_decisions",
    "save_decisions",
    "save_pools",
]

_LOCK_POOLS = select(pool).order_by(pool.c.name).with_for_update()
_LOCK_MEMBERS = select(member).order_by(member.c.pool, member.c.rep_id).with_for_update()
_SAVE_POOLS = text(
    """
    with moved as (
        update pool p set sequence = n.sequence
          from unnest(cast(:names as text[]), cast(:sequences as bigint[])) as n (name, sequence)
         where p.name = n.name)
    update member m set received = n.received, credited = n.credited, entitled = n.entitled
      from unnest(cast(:pools as text[]), cast(:reps as uuid[]), cast(:received as bigint[]),
                  cast(:credited as bigint[]), cast(:entitled as bigint[]))
           as n (pool, rep_id, received, credited, entitled)
     where m.pool = n.pool and m.rep_id = n.rep_id
    """
)
_MONTH = timedelta(days=30)  # the agreement's leads_per_30_days


async def lock_pools(tx: Tx, terms: Terms) -> dict[str, Pool]:
    """Lock all pools of the agreement and their members, in order; pools it names without rows are empty.

    Members' taken_30_days are filled in by reps_for_routing.
    """
    rows = (await tx.execute(_LOCK_POOLS)).all()
    members = (await tx.execute(_LOCK_MEMBERS)).all()
    found = {each.name: Pool(each.name, (), tuple(each.skills)) for each in terms.document.routing.pools}
    for row in (each for each in rows if each.is_active):
        own = tuple(_member(each) for each in members if each.pool == row.name)
        found[row.name] = Pool(row.name, own, tuple(row.skills), row.sequence)
    return found


async def reps_for_routing(
    tx: Tx, pools: Mapping[str, Pool], crew: Crew, *, others: Iterable[UserId], load_changes: Mapping[UserId, int]
) -> tuple[dict[str, Pool], dict[UserId, Rep]]:
    """The reps of all pools and the others named, locked in id order, and the pools with their monthly counts.

    load_changes: what this transaction has moved and not yet written.
    """
    wanted = {one.rep_id for each in pools.values() for one in each.members} | set(others)
    locked = await lock_reps(tx, wanted)
    holding, taken = await holding_and_taken(tx, wanted, since=tx.now - _MONTH)
    reps = {
        rep_id: _rep(row, crew, load=row.load + load_changes.get(rep_id, 0), holding=holding.get(rep_id, ()))
        for rep_id, row in locked.items()
    }
    counted = {
        name: replace(each, members=tuple(replace(one, taken_30_days=taken.get(one.rep_id, 0)) for one in each.members))
        for name, each in pools.items()
    }
    return counted, reps


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


async def save_pools(tx: Tx, pools: Mapping[str, Pool]) -> None:
    """Save the ledgers that a round changed; the caller holds the pools' locks."""
    members = [one for name in sorted(pools) for one in pools[name].members]
    await tx.execute(
        _SAVE_POOLS,
        {
            "names": list(pools),
            "sequences": [pools[name].sequence for name in pools],
            "pools": [one.pool for one in members],
            "reps": [one.rep_id for one in members],
            "received": [one.received for one in members],
            "credited": [one.credited for one in members],
            "entitled": [one.entitled for one in members],
        },
    )


async def credit_member(tx: Tx, pool_name: str, rep_id: UserId) -> None:
    """Give a bad lead back to a rep in a pool's ledger."""
    await tx.execute(select(pool.c.name).where(pool.c.name == pool_name).with_for_update())
    found = select(member).where(member.c.pool == pool_name, member.c.rep_id == rep_id).with_for_update()
    row = (await tx.execute(found)).first()
    if row is not None:
        await tx.execute(
            text("update member set credited = :credited where pool = :pool and rep_id = :rep"),
            {"credited": credit(_member(row)).credited, "pool": pool_name, "rep": rep_id},
        )


async def save_decisions(tx: Tx, results: Sequence[RouteResult], terms: Terms, *, now: datetime) -> None:
    """Keep the decision records: what was read, asked and answered."""
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
    await insert_rows(tx, routing_decision, rows, is_once=True)


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


def _rep(row: RepRow, crew: Crew, *, load: int, holding: tuple[Any, ...]) -> Rep:
    why_off = crew.why_off(row.id)
    return Rep(
        id=row.id,
        team_id=row.team_id,
        is_on=why_off is None,
        why_off=why_off,
        load=load,
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
