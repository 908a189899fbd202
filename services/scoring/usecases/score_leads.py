"""Folds a batch of events into leads and scores every person it touches; scores again what is due by time.

One fixed number of statements per batch, whatever its size: append history, lock the trees, judge purely, save, emit.
An activity that moves no sum (most do not) is kept and touches no lead.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.scoring.domain.decay import micros
from services.scoring.domain.facts import HUMAN_LEAST, Activity
from services.scoring.store import accounts, history, leads, terms
from services.scoring.store.appending import append
from services.scoring.usecases.changes import Changes, activity_of, changes_of
from services.scoring.usecases.judge_people import Judged, judge_people
from services.scoring.usecases.records import takeover
from services.scoring.usecases.ruling import Ruling, Terms
from services.scoring.usecases.trees import accounts_of, fold_new, linked_anew, move, put_records, refold_stale
from shared.contracts.envelope import Event
from shared.db.engine import Tx
from shared.ids import LeadId
from shared.telemetry import announce

__all__ = ["Desk", "fold_events", "recheck_leads", "rescan_leads"]

RECHECK_MOST = 500


@dataclass(slots=True)
class Desk:
    """What every use case of scoring needs beside the transaction: compiled terms, the salt of the draw.

    wake is called after the commit of a batch: the loop of this process then looks at what became due.
    """

    terms: Terms
    salt: bytes
    wake: Callable[[], None] | None = None


async def fold_events(tx: Tx, received: Sequence[Event[Any]], *, desk: Desk) -> None:
    """Fold a batch of events about leads and score each person they touch, once."""
    changes = changes_of(received)
    recorded = [event.payload for event in changes.recorded.values()]
    appended = await append(tx, recorded, changes.records, changes.moves)
    await history.add_corrections(tx, changes.corrections)
    ruling = await desk.terms.ruling_held(tx, appended.in_force)
    activities = _wanted(changes, appended.new_ids, ruling)
    if not changes.causes:
        return
    forest = await leads.lock_trees(tx, changes.causes.keys())
    await announce("batch:after_locks")
    linked = accounts_of(forest)
    customers, corrected = await accounts.customers_and_corrected(
        tx, linked | linked_anew(changes), [each.activity_id for each in activities]
    )
    again = corrected.union(each.lead_id for each in changes.corrections)
    fold_new(forest, activities, ruling, done=await refold_stale(tx, forest, ruling, again=again))
    put_records(forest, changes)
    before = [forest.rows[lead_id].root_id for lead_id in changes.causes]
    taken_over = [takeover(root, came_from, at=tx.now) for root, came_from in move(forest, changes)]
    causes: dict[LeadId, Event[Any]] = {}
    for lead_id, event in changes.causes.items():
        causes[forest.rows[lead_id].root_id] = event
    left = [root_id for root_id in dict.fromkeys(before) if root_id not in causes and _is_root(forest, root_id)]
    judged = Judged(forest, [*causes, *left], customers, causes)
    decided = [*taken_over, *await judge_people(tx, judged, ruling, salt=desk.salt)]
    await leads.save_leads(tx, list(forest.rows.values()), due=linked | accounts_of(forest), decided=decided)
    if desk.wake is not None:
        tx.after_commit.append(desk.wake)


async def recheck_leads(tx: Tx, *, desk: Desk) -> int:
    """Score again the people whose moment has come, at most RECHECK_MOST; returns how many were due."""
    due = await leads.due_leads(tx, most=RECHECK_MOST)
    if due:
        now_us = micros(tx.now)
        await _score_again(tx, due, desk=desk, is_wanted=lambda row: (row.recheck_us or now_us + 1) <= now_us)
    return len(due)


async def rescan_leads(tx: Tx, *, desk: Desk) -> int:
    """Score the next slice of all leads under new terms; returns how many, 0 when no rescan runs or it is through."""
    await terms.hold_terms(tx)  # before the rescan's row: a switch of terms takes them in this order too
    position = await terms.rescan_position(tx)
    if position is None:
        return 0
    roots = await leads.next_roots(tx, position, most=RECHECK_MOST)
    if not roots:
        await terms.end_rescan(tx, position)
        return 0
    await _score_again(tx, roots, desk=desk, is_wanted=lambda _: True, is_rescan=True)
    await terms.move_rescan(tx, position, roots[-1])
    return len(roots)


def _wanted(changes: Changes, new_ids: Collection[UUID], ruling: Ruling) -> list[Activity]:
    """The new activities that move a sum; names whom they touch."""
    found = []
    rule, is_all = ruling.rule, ruling.needs_counts
    for activity_id, event in changes.recorded.items():
        told = event.payload
        is_counted = rule.match(told.kind, told.content, told.is_hard, told.verified_by).is_counted
        if (is_all or (is_counted and told.human >= HUMAN_LEAST)) and activity_id in new_ids:
            found.append(activity_of(told))
            changes.causes[LeadId(told.member_id)] = event
    return found


async def _score_again(
    tx: Tx,
    roots: Iterable[LeadId],
    *,
    desk: Desk,
    is_wanted: Callable[[leads.LeadRow], bool],
    is_rescan: bool = False,
) -> None:
    ruling = await desk.terms.ruling_held(tx, await terms.hold_terms(tx))
    forest = await leads.lock_trees(tx, list(roots))
    await refold_stale(tx, forest, ruling)
    customers = await accounts.customers_among(tx, accounts_of(forest))
    wanted = [row.lead_id for row in forest.rows.values() if row.root_id == row.lead_id and is_wanted(row)]
    judged = Judged(forest, wanted, customers, causes={}, is_rescan=is_rescan)
    decided = await judge_people(tx, judged, ruling, salt=desk.salt)
    await leads.save_leads(tx, list(forest.rows.values()), decided=decided)


def _is_root(forest: leads.Forest, lead_id: LeadId) -> bool:
    return forest.rows[lead_id].root_id == lead_id
