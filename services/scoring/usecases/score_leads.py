"""Folds a batch of events into leads and scores every person it touches; scores again what is due by time.

One fixed number of statements per batch, whatever its size: lock the trees, append history, judge purely, save, emit.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.scoring.domain.decay import micros, moment
from services.scoring.domain.facts import NO_SUMS, Activity, fold
from services.scoring.domain.judge import Draw, judge
from services.scoring.domain.member import with_record
from services.scoring.domain.qualify import DRAW_AFTER_US, Outcome, draw_of, is_drawable, joined, limit_of
from services.scoring.store import accounts, decisions, history, leads, terms
from services.scoring.store.leads import Forest, LeadRow
from services.scoring.usecases.changes import Changes, changes_of
from services.scoring.usecases.records import (
    Scene,
    chosen_evidence,
    decision_payload,
    scored_payload,
    shown_text,
    stored,
)
from services.scoring.usecases.ruling import Ruling, Terms, shadow_models
from shared.contracts.envelope import Event, Payload
from shared.db.engine import Tx
from shared.ids import AccountId, LeadId, derived_id
from shared.stream.outbox import emit
from shared.telemetry import announce

__all__ = ["SOURCE", "Desk", "fold_events", "recheck_leads", "rescan_leads"]

SOURCE = "/baton/scoring"
RECHECK_MOST = 500
_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


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
    if not changes.causes:
        return
    ruling = await desk.terms.ruling(tx)
    forest = await leads.lock_trees(tx, changes.causes.keys())
    await announce("batch:after_locks")
    await _fold(tx, forest, changes, ruling)
    left = _accounts_of(forest)
    _add_records(forest, changes)
    before = {forest.rows[lead_id].root_id for lead_id in changes.causes}
    _move(forest, changes)
    causes: dict[LeadId, Event[Any]] = {}
    for lead_id, event in changes.causes.items():
        causes[forest.rows[lead_id].root_id] = event
    roots = [root_id for root_id in before if root_id not in causes and forest.rows[root_id].root_id == root_id]
    await _judge_all(tx, forest, [*causes, *roots], ruling, desk=desk, causes=causes)
    await accounts.add_due(tx, left | _accounts_of(forest))
    if desk.wake is not None:
        tx.after_commit.append(desk.wake)


async def recheck_leads(tx: Tx, *, desk: Desk) -> int:
    """Score again the people whose moment has come, at most RECHECK_MOST; returns how many were due."""
    due = await leads.due_leads(tx, most=RECHECK_MOST)
    if due:
        ruling = await desk.terms.ruling(tx)
        forest = await leads.lock_trees(tx, due)
        now_us = micros(tx.now)
        roots = [
            root_id
            for root_id in sorted({row.root_id for row in forest.rows.values()})
            if (forest.rows[root_id].recheck_us or now_us + 1) <= now_us
        ]
        await _refold_stale(tx, forest, ruling)
        await _judge_all(tx, forest, roots, ruling, desk=desk, causes={})
    return len(due)


async def rescan_leads(tx: Tx, *, desk: Desk) -> int:
    """Score the next slice of all leads under new terms; returns how many, 0 when no rescan runs or it is through."""
    position = await terms.rescan_position(tx)
    if position is None:
        return 0
    roots = await leads.next_roots(tx, position, most=RECHECK_MOST)
    if not roots:
        await terms.end_rescan(tx, position)
        return 0
    ruling = await desk.terms.ruling(tx)
    forest = await leads.lock_trees(tx, roots)
    await _refold_stale(tx, forest, ruling)
    own = [root_id for root_id in roots if forest.rows[root_id].root_id == root_id]
    await _judge_all(tx, forest, own, ruling, desk=desk, causes={})
    await terms.move_rescan(tx, position, roots[-1])
    return len(roots)


async def _fold(tx: Tx, forest: Forest, changes: Changes, ruling: Ruling) -> None:
    """Append history and fold what is new; a member with a corrected activity or old sums is folded again from it."""
    added = await history.add_activities(tx, changes.activities)
    await history.add_corrections(tx, changes.corrections)
    await history.add_records(tx, changes.records)
    await history.add_moves(tx, changes.moves)
    again = {each.lead_id for each in changes.corrections}
    if added:
        again |= await history.corrected_leads(tx, added)
    fresh: dict[LeadId, list[Activity]] = {}
    taken: set[UUID] = set()
    for activity in changes.activities:
        if activity.activity_id in added and activity.activity_id not in taken:
            taken.add(activity.activity_id)
            fresh.setdefault(activity.member_id, []).append(activity)
    await _refold_stale(tx, forest, ruling, again=again)
    for lead_id, activities in fresh.items():
        row = forest.rows[lead_id]
        if lead_id not in again and row.print == ruling.rule.print:
            row.member = row.member.with_sums(fold(row.member.sums, activities, rule=ruling.rule))
    for row in forest.rows.values():
        row.print = ruling.rule.print


async def _refold_stale(tx: Tx, forest: Forest, ruling: Ruling, *, again: Collection[LeadId] = ()) -> None:
    """Fold members from their history whose sums are of other lines than the rule's. A new lead's row has no print."""
    stale = {
        row.lead_id
        for row in forest.rows.values()
        if row.lead_id in again or (row.print and row.print != ruling.rule.print)
    }
    for row in forest.rows.values():
        if not row.print and row.lead_id not in stale:
            row.print = ruling.rule.print
    if stale:
        kept = await history.activities_of(tx, stale, as_of=_FOR_EVER)
        for lead_id in stale:
            row = forest.rows[lead_id]
            row.member = row.member.with_sums(fold(NO_SUMS, kept.get(lead_id, ()), rule=ruling.rule))


def _add_records(forest: Forest, changes: Changes) -> None:
    for lead_id, record in changes.records:
        row = forest.rows[lead_id]
        row.member = with_record(row.member, record)


def _move(forest: Forest, changes: Changes) -> None:
    """Set and clear pointers by version, then name the roots anew; a root that is joined hands on its standing."""
    moved = []
    for move in changes.moves:
        row = forest.rows[move.lead_id]
        if move.version > row.identity_version:
            row.identity_version, row.parent_id = move.version, move.parent_id
            moved.append(row)
    if not moved:
        return
    sizes: dict[LeadId, int] = {}
    for row in sorted(forest.rows.values(), key=lambda each: each.lead_id):
        was_root, root_id = row.root_id == row.lead_id, _root_of(forest, row)
        row.root_id = root_id
        sizes[root_id] = sizes.get(root_id, 0) + 1
        if was_root and root_id != row.lead_id:
            root = forest.rows[root_id]
            root.standing = joined(root.standing, row.standing)
            row.recheck_us = None
    for row in forest.rows.values():
        row.tree_size = sizes.get(row.lead_id, 1)


def _root_of(forest: Forest, row: LeadRow) -> LeadId:
    """Follow the pointers; in a ring, which two moves overtaking each other can make for a while, the least id."""
    seen = [row.lead_id]
    while (parent := forest.rows[seen[-1]].parent_id) is not None and parent in forest.rows:
        if parent in seen:
            return min(seen[seen.index(parent) :])
        seen.append(parent)
    return seen[-1]


async def _judge_all(
    tx: Tx,
    forest: Forest,
    roots: Sequence[LeadId],
    ruling: Ruling,
    *,
    desk: Desk,
    causes: Mapping[LeadId, Event[Any]],
) -> None:
    """Judge people, save their trees, store decisions, emit."""
    people = {root_id: forest.person(root_id) for root_id in roots}
    linked = {person.account_id for person in people.values() if person.account_id is not None}
    customers = await accounts.customers_among(tx, linked)
    limit = await _draw_limit(tx, forest, people.keys(), ruling)
    now_us = micros(tx.now)
    scenes: list[tuple[Scene, LeadRow]] = []
    for root_id in roots:
        row, person = forest.rows[root_id], forest.person(root_id, customers=customers)
        draw = None if limit is None else Draw(draw_of(desk.salt, root_id.bytes), limit)
        is_due = now_us >= person.known_since_us + DRAW_AFTER_US
        judgement = judge(
            person,
            row.standing,
            now_us=now_us,
            rule=ruling.rule,
            model=ruling.model,
            draw=draw if is_due else None,
        )
        cause = causes.get(root_id)
        crossed_us = min(now_us, micros(cause.recorded_at) if cause else row.recheck_us or now_us)
        row.standing, row.recheck_us = judgement.verdict.standing, judgement.recheck_us
        scenes.append((Scene(person, judgement, ruling, row.score_version + 1, moment(crossed_us)), row))
    events = await _recorded(tx, scenes, ruling, causes)
    await leads.save_leads(tx, list(forest.rows.values()))
    emit(tx, *events)


async def _recorded(
    tx: Tx,
    scenes: Sequence[tuple[Scene, LeadRow]],
    ruling: Ruling,
    causes: Mapping[LeadId, Event[Any]],
) -> list[Event[Any]]:
    """Store the decisions and return the events, in the order of the people."""
    deciding = [scene for scene, _ in scenes if scene.judgement.verdict.outcome is not Outcome.STAY]
    shadows = await shadow_models(tx, ruling) if deciding else []
    members = {member.lead_id for scene in deciding for member in scene.person.members}
    evidence = await history.evidence_of(tx, members) if members else {}
    kept, events = [], []
    for scene, row in scenes:
        verdict, cause = scene.judgement.verdict, causes.get(scene.lead_id)
        is_changed = scene.judgement.is_scored and (shown := shown_text(scene)) != row.shown
        if is_changed:
            row.shown = shown
            events.append(_event(tx, scored_payload(scene), scene, cause))
        if verdict.outcome is not Outcome.STAY:
            payload = decision_payload(scene, evidence=chosen_evidence(scene, evidence), shadows=shadows)
            kept.append(stored(scene, payload, decided_at=tx.now))
            if verdict.outcome is not Outcome.DRAWN:
                events.append(_event(tx, payload, scene, cause, id=scene.decision_id))
        if is_changed or verdict.outcome is not Outcome.STAY:
            row.score_version = scene.score_version
    await decisions.add_decisions(tx, kept)
    return events


def _event(
    tx: Tx,
    payload: Payload,
    scene: Scene,
    cause: Event[Any] | None,
    *,
    id: UUID | None = None,  # noqa: A002 - the envelope's name
) -> Event[Any]:
    """An event of a person: caused by the newest event that touched it, or first when time alone moved it."""
    if cause is None:
        own = id or derived_id(SOURCE, payload.TYPE, scene.lead_id, scene.score_version, tx.now.isoformat())
        return Event.first(payload, source=SOURCE, occurred_at=scene.crossed_at, recorded_at=tx.now, id=own)
    own = id or derived_id(SOURCE, cause.id, payload.TYPE, scene.lead_id)
    return Event.caused(payload, by=cause, source=SOURCE, occurred_at=scene.crossed_at, recorded_at=tx.now, id=own)


async def _draw_limit(tx: Tx, forest: Forest, roots: Collection[LeadId], ruling: Ruling) -> float | None:
    """The day's limit of exploration, set by the first draw of a day; None when nobody's draw is due."""
    explored = ruling.rule.exploration
    if explored.share == 0 and explored.share_small == 0:
        return None
    now_us = micros(tx.now)
    for root_id in roots:
        known = forest.person(root_id).known_since_us
        if is_drawable(forest.rows[root_id].standing, known) and now_us >= known + DRAW_AFTER_US:
            break
    else:
        return None
    today = tx.now.date()
    limit = await decisions.kept_limit(tx, today)
    if limit is None:
        counts = await decisions.draw_counts(tx)
        is_small = counts.handoffs < 7 * explored.small_under_leads_per_day
        share = explored.share_small if is_small else explored.share
        limit = limit_of(counts.handoffs, counts.eligible, share=share)
        await decisions.keep_limit(tx, today, limit, counts)
    return limit


def _accounts_of(forest: Forest) -> set[AccountId]:
    """Every account that a touched member is linked to."""
    return {row.member.link.account_id for row in forest.rows.values() if row.member.link is not None}
