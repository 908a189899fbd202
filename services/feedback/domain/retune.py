"""One re-tune: labels as of t, a fit, its card, and the gate sheet against what decided meanwhile.

The challenger is judged on predictions as they would have been emitted then: each week's leads by a card fitted on
what was known at the start of that week, or by the shadow score that was stored with the decision. The champion is
judged by what it did emit, or by the declared rate where nothing was emitted. The same rows, outcomes and t give
the same proposal bit for bit. SCORING 9, 10, 12.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import numpy as np

from services.feedback.domain import labels as labelling
from services.feedback.domain import provenance, tuning
from services.feedback.domain.coding import Column
from services.feedback.domain.gate import Compared, GateLine, GateSheet, judge
from services.feedback.domain.labels import Array, Ending, HandedOff, Labels, Standing
from shared.contracts.envelope import canonical
from shared.contracts.model_card import ModelCard

Family = Literal["points_platt", "scorecard"]

WEEK = timedelta(days=7)
# A cohort counts when nine in ten of it have matured, or quick wins would look like a good month (SCORING 9).
COHORT_MATURED = 0.9
# Days are joined until a cohort has this many leads: nine in ten of three leads would be all of them.
COHORT_ROWS_MIN = 10
PROPENSITY_MIN = 1e-3


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One handed-off lead with what its decision stored; facts by name, `known_at` by the same names."""

    handoff_id: UUID
    handed_at: datetime
    decided_at: datetime
    points: int
    facts: Mapping[str, str]
    known_at: Mapping[str, datetime]
    propensity: float
    p_win: float | None
    group: str
    policy: str
    shadow: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fit and what to judge it against."""

    family: Family
    as_of: datetime
    horizon_days: float
    declared_rate: float
    agreement_version: int
    qualify: int


@dataclass(frozen=True, slots=True)
class NotYet:
    """Why nothing can be proposed, with the counts; for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A fitted challenger: its card, what it was taught, and its gate sheet."""

    family: Family
    card: ModelCard
    window_from: datetime
    rows_sha256: str
    wins: int
    losses: int
    open: int
    open_weight: float
    rho: float
    p_threshold: float
    sheet: GateSheet


def propose(rows: Sequence[TrainingRow], endings: Sequence[Ending], wanted: Wanted) -> Proposal | NotYet:
    """The challenger of these rows as of wanted.as_of, or why there is none yet."""
    usable = _usable(rows, wanted.as_of)
    labels = _labels(usable, endings, wanted)
    missing = _missing(labels, wanted.family)
    if missing is not None:
        return missing
    kept = in_order(usable, labels)
    fit, known = _fit(kept, labels, wanted.family, wanted.horizon_days)
    counts = labels.counts()
    soft = labels.mask(Standing.OPEN)
    card = tuning.to_card(fit, agreement_version=wanted.agreement_version)
    return Proposal(
        family=wanted.family,
        card=card,
        window_from=min(row.handed_at for row in kept),
        rows_sha256=_hash(kept, fit.targets),
        wins=counts[Standing.WON],
        losses=counts[Standing.LOST] + counts[Standing.EXPIRED],
        open=counts[Standing.OPEN],
        open_weight=float(soft.sum()) / len(kept),
        rho=known.rho,
        p_threshold=threshold_of(card, kept, qualify=wanted.qualify),
        sheet=_judge(kept, labels, endings, wanted),
    )


def not_yet(rows: Sequence[TrainingRow], endings: Sequence[Ending], wanted: Wanted) -> NotYet | None:
    """Why nothing can be proposed yet, without fitting anything; None when a fit may be made."""
    return _missing(_labels(_usable(rows, wanted.as_of), endings, wanted), wanted.family)


def since_promotion(rows: Sequence[TrainingRow], endings: Sequence[Ending], wanted: Wanted) -> Compared:
    """Matured outcomes of the rows the promoted model emitted for, beside what the former scorer said of them.

    A row's `p_win` is the promoted model's, its `shadow` the former one's; without one the declared rate stands.
    """
    usable = _usable(rows, wanted.as_of)
    labels = _labels(usable, endings, wanted)
    kept = in_order(usable, labels)
    counted = np.flatnonzero(matured_cohorts(labels))
    won = labels.mask(Standing.WON).astype(np.float64)
    former = [wanted.declared_rate if (shadow := kept[at].shadow) is None else shadow for at in counted]
    return Compared(
        won=won[counted],
        champion=np.array(former, dtype=np.float64),
        challenger=np.array([p_emitted(kept[at], wanted) for at in counted], dtype=np.float64),
        propensity=np.array([kept[at].propensity for at in counted], dtype=np.float64),
        slices={},
    )


def threshold_of(card: ModelCard, rows: Sequence[TrainingRow], *, qualify: int) -> float:
    """Find p_T, the chance a score of `qualify` means, so that as many of these leads qualify as by signed points.

    Of the points alone it is the card's own value at `qualify`. SCORING 5.
    """
    if not card.lines:
        return card.p_win(qualify, {})
    qualified = sum(row.points >= qualify for row in rows)
    ranked = sorted((card.p_win(row.points, row.facts) for row in rows), reverse=True)
    return ranked[min(max(qualified, 1), len(ranked)) - 1]


def matured_cohorts(labels: Labels) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows evaluation may count: matured ones of cohorts of whole days of which 90 % have matured."""
    matured = ~labels.mask(Standing.OPEN)
    counted = np.zeros(len(labels.rows), dtype=np.bool_)
    order = sorted(range(len(labels.rows)), key=lambda at: (labels.rows[at].handed_at, labels.rows[at].handoff_id))
    cohort: list[int] = []
    for position, at in enumerate(order):
        cohort.append(at)
        is_last = position == len(order) - 1
        is_day_over = is_last or labels.rows[order[position + 1]].handed_at.date() != labels.rows[at].handed_at.date()
        if is_day_over and (len(cohort) >= COHORT_ROWS_MIN or is_last):
            own = np.array(cohort)
            if matured[own].mean() >= COHORT_MATURED:
                counted[own] = matured[own]
            cohort = []
    return counted


def as_emitted_weekly(rows: Sequence[TrainingRow], endings: Sequence[Ending], wanted: Wanted) -> dict[UUID, float]:
    """The challenger's p_win per handoff as emitted then: the stored shadow, else the card of that week's start.

    Leads handed off before the first week in which a fit was allowed have none.
    """
    found = {row.handoff_id: row.shadow for row in rows if row.shadow is not None}
    if not rows:
        return found
    start = min(row.handed_at for row in rows)
    while start < wanted.as_of:
        week = [row for row in rows if start <= row.handed_at < start + WEEK and row.handoff_id not in found]
        before = [row for row in rows if row.handed_at < start]
        labels = labelling.label(
            [handed(row) for row in before], endings, as_of=start, horizon_days=wanted.horizon_days
        )
        if week and _may_fit(labels, wanted.family):
            fit, _ = _fit(in_order(before, labels), labels, wanted.family, wanted.horizon_days)
            card = tuning.to_card(fit, agreement_version=wanted.agreement_version)
            found.update({row.handoff_id: card.p_win(row.points, row.facts) for row in week})
        start += WEEK
    return found


def _judge(rows: Sequence[TrainingRow], labels: Labels, endings: Sequence[Ending], wanted: Wanted) -> GateSheet:
    """The gate on matured outcomes of rows that both scorers have a prediction for."""
    emitted = as_emitted_weekly(rows, endings, wanted)
    counted = matured_cohorts(labels)
    judged = [at for at, row in enumerate(rows) if counted[at] and row.handoff_id in emitted]
    won = labels.mask(Standing.WON).astype(np.float64)
    compared = Compared(
        won=won[judged],
        champion=np.array([p_emitted(rows[at], wanted) for at in judged], dtype=np.float64),
        challenger=np.array([emitted[rows[at].handoff_id] for at in judged], dtype=np.float64),
        propensity=np.array([rows[at].propensity for at in judged], dtype=np.float64),
        slices={"source": [rows[at].group for at in judged], "policy": [rows[at].policy for at in judged]},
    )
    return judge(compared, honest=_honest(rows, labels, wanted))


def _honest(rows: Sequence[TrainingRow], labels: Labels, wanted: Wanted) -> GateLine:
    """G5 over the facts this family reads; the points alone read none but the signed ones."""
    names = _fact_names(rows) if wanted.family == "scorecard" else ()
    columns = _columns(rows, names)
    matured = ~labels.mask(Standing.OPEN)
    won = labels.mask(Standing.WON).astype(np.float64)
    judged = {
        name: [value for value, is_in in zip(column, matured, strict=True) if is_in] for name, column in columns.items()
    }
    # Whatever the family, every stored fact had to be known when the decision was taken.
    known_at = {name: [row.known_at.get(name) for row in rows] for name in _fact_names(rows)}
    refusals = (
        *provenance.refused_by_provenance(names, provenance.declared_of(names)),
        *provenance.smells(judged, won[matured]),
        *provenance.late_facts(known_at, [row.decided_at for row in rows]),
    )
    return provenance.honest(refusals, rows=len(rows), facts=len(known_at))


def _fit(
    rows: Sequence[TrainingRow], labels: Labels, family: Family, horizon_days: float
) -> tuple[tuning.Fit, labelling.Curves]:
    known = labelling.curves(labels, horizon_days=horizon_days)
    points = np.array([row.points for row in rows], dtype=np.float64)
    columns = _columns(rows, _fact_names(rows)) if family == "scorecard" else {}
    return tuning.fit_scorecard(points, columns, labels, known), known


def _labels(rows: Sequence[TrainingRow], endings: Sequence[Ending], wanted: Wanted) -> Labels:
    return labelling.label([handed(row) for row in rows], endings, as_of=wanted.as_of, horizon_days=wanted.horizon_days)


def _usable(rows: Sequence[TrainingRow], as_of: datetime) -> list[TrainingRow]:
    """Rows handed off by then, in order; a propensity of (nearly) none cannot be weighted and is left out."""
    return sorted(
        (row for row in rows if row.handed_at <= as_of and row.propensity >= PROPENSITY_MIN),
        key=lambda row: (row.handed_at, row.handoff_id),
    )


def in_order(rows: Sequence[TrainingRow], labels: Labels) -> list[TrainingRow]:
    """The rows the labels speak of, in their order: rows in conflict are gone."""
    by_id = {row.handoff_id: row for row in rows}
    return [by_id[row.handoff_id] for row in labels.rows]


def handed(row: TrainingRow) -> HandedOff:
    """The row a label is given to."""
    return HandedOff(handoff_id=row.handoff_id, handed_at=row.handed_at, group=row.group)


def _fact_names(rows: Sequence[TrainingRow]) -> tuple[str, ...]:
    return tuple(sorted({name for row in rows for name in row.facts}))


def _columns(rows: Sequence[TrainingRow], names: Sequence[str]) -> dict[str, Column]:
    return {name: [row.facts.get(name) for row in rows] for name in names}


def p_emitted(row: TrainingRow, wanted: Wanted) -> float:
    """The champion's probability as emitted; where none was, the declared rate is what both teams were told."""
    return wanted.declared_rate if row.p_win is None else row.p_win


def _missing(labels: Labels, family: Family) -> NotYet | None:
    if _may_fit(labels, family):
        return None
    counts = labels.counts()
    matured = len(labels.rows) - counts[Standing.OPEN]
    needs = _needs(family)
    return NotYet(f"{matured} matured outcomes with {counts[Standing.WON]} wins; needs {needs[0]} with {needs[1]}")


def _may_fit(labels: Labels, family: Family) -> bool:
    return tuning.may_calibrate(labels) if family == "points_platt" else tuning.may_fit_scorecard(labels)


def _needs(family: Family) -> tuple[int, int]:
    if family == "points_platt":
        return tuning.PLATT_MATURED_MIN, tuning.PLATT_WINS_MIN
    return tuning.SCORECARD_MATURED_MIN, tuning.SCORECARD_WINS_MIN


def _hash(rows: Sequence[TrainingRow], targets: Array) -> str:
    """SHA-256 over what the fit saw, row by row: points, facts, propensity and label."""
    digest = hashlib.sha256()
    for row, target in zip(rows, targets, strict=True):
        told = [str(row.handoff_id), row.points, dict(row.facts), row.propensity, float(target)]
        digest.update(canonical(told))
    return digest.hexdigest()
