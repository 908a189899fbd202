"""Judges people of locked trees, records their decisions, emits what changed: once per person and batch."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from services.scoring.domain.decay import micros
from services.scoring.domain.facts import Activity, count_kinds, join_counts
from services.scoring.domain.happened import person_crossed_us
from services.scoring.domain.judge import Draw, judge
from services.scoring.domain.person import Person
from services.scoring.domain.qualify import Outcome, draw_at, draw_of, is_drawable, limit_of
from services.scoring.store import decisions, history
from services.scoring.store.decisions import StoredDecision
from services.scoring.store.leads import Forest, LeadRow
from services.scoring.store.past import ACTIVITIES_MOST, read_past
from services.scoring.usecases.pasts import pasts_of
from services.scoring.usecases.records import (
    Scene,
    chosen_evidence,
    decision_payload,
    scored_payload,
    shown_text,
    stored,
)
from services.scoring.usecases.ruling import Ruling
from shared.contracts.envelope import Event, Payload
from shared.contracts.scores import LeadDemoted, LeadQualified
from shared.db.engine import Tx
from shared.ids import AccountId, LeadId, derived_id
from shared.stream.outbox import emit

__all__ = ["SOURCE", "Judged", "judge_people"]

SOURCE = "/baton/scoring"
Causes = Mapping[LeadId, Event[Any]]
_UNREAD: Mapping[LeadId, Sequence[Activity]] = {}


class Judged(NamedTuple):
    """Whom a transaction judges, in locked trees; customers: of their accounts, those that are.

    causes: the newest event that touched each; none when time did. is_rescan: new terms did; what they decide happens
    now, for they never apply backwards.
    """

    forest: Forest
    roots: Sequence[LeadId]
    customers: Collection[AccountId]
    causes: Causes
    is_rescan: bool = False


async def judge_people(tx: Tx, judged: Judged, ruling: Ruling, *, salt: bytes) -> list[StoredDecision]:
    """Judge these people at tx.now; returns the decisions.

    What becomes of them stands in the rows of their roots; the caller saves both.
    """
    people = await _people(tx, judged, ruling)
    forest, now_us = judged.forest, micros(tx.now)
    due = {
        root_id
        for root_id, person in people.items()
        if is_drawable(forest.rows[root_id].standing, person.known_since_us)
        and now_us >= draw_at(person.known_since_us)
    }
    limit = await _draw_limit(tx, ruling) if due else 0.0
    scenes: list[tuple[Scene, LeadRow]] = []
    for root_id, person in people.items():
        row = forest.rows[root_id]
        draw = Draw(draw_of(salt, root_id.bytes), limit) if root_id in due else None
        judgement = judge(person, row.standing, now_us=now_us, rule=ruling.rule, model=ruling.model, draw=draw)
        scenes.append((Scene(person, row.standing, judgement, ruling, row.score_version + 1), row))
        row.standing, row.recheck_us = judgement.verdict.standing, judgement.recheck_us
    events, decided = await _recorded(tx, scenes, ruling, judged.causes, is_rescan=judged.is_rescan)
    emit(tx, *events)
    return decided


async def _people(tx: Tx, judged: Judged, ruling: Ruling) -> dict[LeadId, Person]:
    people = {root_id: judged.forest.person(root_id, customers=judged.customers) for root_id in judged.roots}
    return await _with_counts(tx, people) if ruling.needs_counts else people


async def _with_counts(
    tx: Tx, people: Mapping[LeadId, Person], known: Mapping[LeadId, Sequence[Activity]] = _UNREAD
) -> dict[LeadId, Person]:
    """The same people with how often they did what, from the history: what models and decision records read.

    known: the newest activities of members; of who has fewer than are ever read, they are all there are.
    """
    now_us = micros(tx.now)
    members = [member.lead_id for person in people.values() for member in person.members]
    asked = [lead_id for lead_id in members if lead_id not in known or not _is_whole(known[lead_id], now_us)]
    counts = await history.counts_of(tx, asked, as_of=tx.now) if asked else {}
    counts |= {lead_id: count_kinds(own) for lead_id, own in known.items() if lead_id not in asked}
    return {
        root_id: person._replace(counts=join_counts([counts.get(each.lead_id, {}) for each in person.members]))
        for root_id, person in people.items()
    }


def _is_whole(known: Sequence[Activity], now_us: int) -> bool:
    """Whether these are all activities of a member, as judged until now."""
    return len(known) < ACTIVITIES_MOST and all(activity.known_us <= now_us for activity in known)


async def _recorded(
    tx: Tx, scenes: Sequence[tuple[Scene, LeadRow]], ruling: Ruling, causes: Causes, *, is_rescan: bool
) -> tuple[list[Event[Any]], list[StoredDecision]]:
    """The events in the order of the people, and the decisions behind them."""
    deciding = {scene.lead_id: scene for scene, _ in scenes if scene.outcome is not Outcome.STAY}
    payloads: dict[LeadId, Any] = {}
    kept: list[StoredDecision] = []
    if deciding:
        payloads, kept = await _decisions(tx, deciding, ruling, is_rescan=is_rescan)
    events: list[Event[Any]] = []
    for scene, row in scenes:
        cause, payload = causes.get(scene.lead_id), payloads.get(scene.lead_id)
        is_changed = scene.judgement.is_scored and (shown := shown_text(scene)) != row.shown
        if is_changed:
            row.shown = shown
            events.append(_event(tx, scored_payload(scene), scene, cause))
        if payload is not None and scene.outcome is not Outcome.DRAWN:
            events.append(_event(tx, payload, scene, cause, id=scene.decision_id))
        if is_changed or payload is not None:
            row.score_version = scene.score_version
    return events, kept


async def _decisions(
    tx: Tx, deciding: Mapping[LeadId, Scene], ruling: Ruling, *, is_rescan: bool
) -> tuple[dict[LeadId, Any], list[StoredDecision]]:
    """The decisions of these people with their facts, evidence and shadow scores: what to emit, and what to store."""
    undecided = {lead_id: scene.person for lead_id, scene in deciding.items()}
    read = await read_past(tx, [member.lead_id for person in undecided.values() for member in person.members])
    people = await _with_counts(tx, undecided, read.activities)
    pasts = {} if is_rescan else await pasts_of(tx, people.values(), read, ruling)
    payloads, kept = {}, []
    for lead_id, scene in deciding.items():
        crossed_us = now_us = micros(tx.now)
        if not is_rescan:
            verdict = scene.judgement.verdict
            crossed_us = person_crossed_us(
                pasts[lead_id], scene.before, verdict, now_us=now_us, rule=ruling.rule, model=ruling.model
            )
        full = scene._replace(person=people[lead_id], crossed_us=crossed_us)
        payload = decision_payload(full, evidence=chosen_evidence(full, read.activities), shadows=ruling.shadows)
        payloads[lead_id] = payload
        kept.append(stored(full, payload, decided_at=tx.now))
    return payloads, kept


def _event(
    tx: Tx,
    payload: Payload,
    scene: Scene,
    cause: Event[Any] | None,
    *,
    id: UUID | None = None,  # noqa: A002 - the envelope's name
) -> Event[Any]:
    """An event of a person: caused by the newest event that touched it, or first when time alone moved it.

    A decision is dated by what it rests on; the numbers of a score are those of now.
    """
    at = payload.crossed_at if isinstance(payload, LeadQualified | LeadDemoted) else tx.now
    if cause is None:
        own = id or derived_id(SOURCE, payload.TYPE, scene.lead_id, scene.score_version, tx.now.isoformat())
        return Event.first(payload, source=SOURCE, occurred_at=at, recorded_at=tx.now, id=own)
    own = id or derived_id(SOURCE, cause.id, payload.TYPE, scene.lead_id)
    return Event.caused(payload, by=cause, source=SOURCE, occurred_at=at, recorded_at=tx.now, id=own)


async def _draw_limit(tx: Tx, ruling: Ruling) -> float:
    """The day's limit of exploration, set by the first draw of a day of the world."""
    explored, today = ruling.rule.exploration, tx.now.date()
    limit = await decisions.kept_limit(tx, today)
    if limit is None:
        counts = await decisions.draw_counts(tx)
        is_small = counts.handoffs < 7 * explored.small_under_leads_per_day
        share = explored.share_small if is_small else explored.share
        limit = limit_of(counts.handoffs, counts.eligible, share=share)
        await decisions.keep_limit(tx, today, limit, counts)
    return limit
