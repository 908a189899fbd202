"""Folds a batch of events into leads and scores every person it touches; scores again what is due by time.

One fixed number of statements per batch, whatever its size: append history, lock the trees, judge purely, save, emit.
An activity that moves no sum (most do not) is kept and touches no lead.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.scoring.domain.decay import micros
from services.scoring.domain.facts import Activity, is_relevant
from services.scoring.store import accounts, decisions, history, lead_records, leads, terms
from services.scoring.usecases.changes import Changes, changes_of
from services.scoring.usecases.judge_people import judge_people
from services.scoring.usecases.records import takeover
from services.scoring.usecases.ruling import Ruling, Terms
from services.scoring.usecases.trees import accounts_of, fold_new, move, put_records, refold_stale
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
    await terms.hold_terms(tx)
    ruling = await desk.terms.ruling(tx)
    activities = await _append(tx, changes, ruling)
    if not changes.causes:
        return
    forest = await leads.lock_trees(tx, changes.causes.keys())
    await announce("batch:after_locks")
    again = {each.lead_id for each in changes.corrections}
    if activities:
        again |= await history.corrected_leads(tx, [each.activity_id for each in activities])
    fold_new(forest, activities, ruling, done=await refold_stale(tx, forest, ruling, again=again))
    touched = accounts_of(forest)
    put_records(forest, changes)
    before = [forest.rows[lead_id].root_id for lead_id in changes.causes]
    taken_over = [takeover(root, came_from, at=tx.now) for root, came_from in move(forest, changes)]
    await decisions.add_decisions(tx, taken_over)
    causes: dict[LeadId, Event[Any]] = {}
    for lead_id, event in changes.causes.items():
        causes[forest.rows[lead_id].root_id] = event
    left = [root_id for root_id in dict.fromkeys(before) if root_id not in causes and _is_root(forest, root_id)]
    await judge_people(tx, forest, [*causes, *left], ruling, salt=desk.salt, causes=causes)
    await accounts.add_due(tx, touched | accounts_of(forest))
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


async def _append(tx: Tx, changes: Changes, ruling: Ruling) -> list[Activity]:
    """Append everything to the history; returns the new activities that move a sum, and names whom they touch."""
    added = await history.add_activities(tx, changes.activities)
    await history.add_corrections(tx, changes.corrections)
    await lead_records.add_records(tx, changes.records)
    await lead_records.add_moves(tx, changes.moves)
    found: dict[Any, Activity] = {}
    for activity in changes.activities:
        is_wanted = ruling.needs_counts or is_relevant(activity, rule=ruling.rule)
        if is_wanted and activity.activity_id in added and activity.activity_id not in found:
            found[activity.activity_id] = activity
            changes.causes[activity.member_id] = changes.told_by[activity.activity_id]
    return list(found.values())


async def _score_again(
    tx: Tx,
    roots: Iterable[LeadId],
    *,
    desk: Desk,
    is_wanted: Callable[[leads.LeadRow], bool],
    is_rescan: bool = False,
) -> None:
    await terms.hold_terms(tx)
    ruling = await desk.terms.ruling(tx)
    forest = await leads.lock_trees(tx, list(roots))
    await refold_stale(tx, forest, ruling)
    wanted = [row.lead_id for row in forest.rows.values() if row.root_id == row.lead_id and is_wanted(row)]
    await judge_people(tx, forest, wanted, ruling, salt=desk.salt, causes={}, is_rescan=is_rescan)


def _is_root(forest: leads.Forest, lead_id: LeadId) -> bool:
    return forest.rows[lead_id].root_id == lead_id
