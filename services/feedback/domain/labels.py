"""Labels of handed-off leads as of a moment: won, lost, expired or open, and the soft label of the open ones.

A pure function of the event log and t: any past training set is rebuilt bit for bit. An open lead is neither won
nor lost, a lead never handed off has no label (it never gets a row), a contradicted one is left out until somebody
settles it. SCORING 6.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

DAY_SECONDS = 86_400.0
# A delay curve of a single source group is read from fifty wins or not at all: fewer give a staircase.
GROUP_WINS_MIN = 50
# The share of non-wins that ever get a record is read from leads older than the horizon, if there are this many.
OLD_ROWS_MIN = 50


class Standing(StrEnum):
    """What is known of one handed-off lead as of t; all but `open` are matured."""

    WON = "won"
    LOST = "lost"
    EXPIRED = "expired"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class HandedOff:
    """One handed-off lead as stored at emission: the row a label is given to."""

    handoff_id: UUID
    handed_at: datetime
    group: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """One recorded outcome: a win, a loss that counts (explicit, or unfit), or none, which may take an end back."""

    outcome_id: UUID
    handoff_id: UUID
    verdict: Literal["win", "loss", "none"]
    occurred_at: datetime
    recorded_at: datetime
    supersedes: UUID | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels in the order of `rows`; `ages` in days at t, `delays` in days until the end was recorded, nan if none."""

    rows: tuple[HandedOff, ...]
    standings: tuple[Standing, ...]
    ages: Array
    delays: Array
    conflicts: tuple[UUID, ...]

    def mask(self, *standings: Standing) -> npt.NDArray[np.bool_]:
        """Which rows stand so."""
        return np.array([each in standings for each in self.standings], dtype=np.bool_)

    def counts(self) -> dict[Standing, int]:
        """Rows per standing; every standing is a key."""
        return {standing: sum(each is standing for each in self.standings) for standing in Standing}


@dataclass(frozen=True, slots=True)
class Curves:
    """Reverse-time curves as of t: share of wins and losses that are visible by an age, and rho."""

    wins: "Curve"
    losses: "Curve"
    rho: float
    groups: dict[str, "Curve"]

    def visible_wins(self, labels: Labels) -> Array:
        """F_w at the age of every row, by its group's own curve where there is one."""
        pooled = self.wins.at(labels.ages)
        for name, curve in self.groups.items():
            of_group = np.array([row.group == name for row in labels.rows], dtype=np.bool_)
            pooled[of_group] = curve.at(labels.ages[of_group])
        return pooled


@dataclass(frozen=True, slots=True)
class Curve:
    """A distribution of delays: `delays` ascending, `shares[i]` = F just below delays[i]; 1 from the last delay on."""

    delays: Array
    shares: Array

    def at(self, ages: Array) -> Array:
        """F(age): share of what will ever be seen that is visible by then."""
        return self.shares[np.searchsorted(self.delays, ages, side="right")]


def label(
    rows: Iterable[HandedOff], endings: Iterable[Ending], *, as_of: datetime, horizon_days: float | None
) -> Labels:
    """Labels of the leads handed off by `as_of`, from what was recorded by then; no horizon means none ever expires.

    A win counts when it happened within the horizon of the handoff, however late it was learned. A win and a loss
    that both stand are a conflict: the row is left out and named in `conflicts`.
    """
    by_handoff = _standing_endings(endings, as_of)
    kept: list[tuple[HandedOff, Standing, float, float]] = []
    conflicts: list[UUID] = []
    for row in rows:
        if row.handed_at > as_of:
            continue
        own = by_handoff.get(row.handoff_id, ())
        if len({ending.verdict for ending in own}) > 1:
            conflicts.append(row.handoff_id)
            continue
        age = (as_of - row.handed_at).total_seconds() / DAY_SECONDS
        kept.append((row, *_standing(row, own, age=age, horizon_days=horizon_days)))
    return Labels(
        rows=tuple(row for row, *_ in kept),
        standings=tuple(standing for _, standing, *_ in kept),
        ages=np.array([age for *_, age, _ in kept], dtype=np.float64),
        delays=np.array([delay for *_, delay in kept], dtype=np.float64),
        conflicts=tuple(conflicts),
    )


def curves(labels: Labels, *, horizon_days: float | None, rho: float | None = None) -> Curves:
    """Delay curves and rho of one labelled set; a given rho is taken as it is (Olist records no loss: 0)."""
    won = labels.mask(Standing.WON)
    lost = labels.mask(Standing.LOST)
    losses = reverse_time_limit(labels.delays[lost], labels.ages[lost])
    groups: dict[str, Curve] = {}
    for name in sorted({row.group for row in labels.rows}):
        own = won & np.array([row.group == name for row in labels.rows], dtype=np.bool_)
        if own.sum() >= GROUP_WINS_MIN:
            groups[name] = reverse_time_limit(labels.delays[own], labels.ages[own])
    return Curves(
        wins=reverse_time_limit(labels.delays[won], labels.ages[won]),
        losses=losses,
        rho=_loss_record_share(labels, losses, horizon_days) if rho is None else rho,
        groups=groups,
    )


def reverse_time_limit(delays: Array, ages: Array) -> Curve:
    """F(d) = prod over d_j > d of (1 - 1 / R_j), R_j = #{i : d_i <= d_j <= a_i}; delay d_i, age a_i of ended leads.

    Product limit for right-truncated delays (Lynden-Bell 1971): young leads show quick ends only, so a plain share
    of what is visible would take quick ends for all. Without ends F is 1 everywhere: nothing more is expected.
    """
    ordered = np.sort(delays)
    at_risk = np.searchsorted(ordered, ordered, side="right") - np.searchsorted(np.sort(ages), ordered, side="left")
    factors = 1.0 - 1.0 / np.maximum(at_risk, 1)
    shares = np.ones(len(ordered) + 1)
    shares[:-1] = np.cumprod(factors[::-1])[::-1]
    return Curve(delays=ordered, shares=shares)


def soft_labels(labels: Labels, known: Curves, probabilities: Array) -> Array:
    """Labels: 1 won, 0 lost or expired, else q = p (1 - F_w(a)) / [p (1 - F_w(a)) + (1 - p)(1 - rho F_l(a))]."""
    still_to_win = probabilities * (1.0 - known.visible_wins(labels))
    still_not_won = (1.0 - probabilities) * (1.0 - known.rho * known.losses.at(labels.ages))
    total = still_to_win + still_not_won
    soft = np.divide(still_to_win, total, out=np.zeros_like(total), where=total > 0)
    hard = labels.mask(Standing.WON).astype(np.float64)
    return np.where(labels.mask(Standing.OPEN), soft, hard)


def _standing_endings(endings: Iterable[Ending], as_of: datetime) -> dict[UUID, Sequence[Ending]]:
    """What stood as of t, by handoff: recorded by then and not superseded by anything recorded by then."""
    seen = [ending for ending in endings if ending.recorded_at <= as_of]
    superseded = {ending.supersedes for ending in seen}
    standing: dict[UUID, list[Ending]] = {}
    for ending in sorted(seen, key=lambda each: (each.recorded_at, each.outcome_id)):
        if ending.outcome_id not in superseded and ending.verdict != "none":
            standing.setdefault(ending.handoff_id, []).append(ending)
    return dict(standing)


def _standing(
    row: HandedOff, own: Sequence[Ending], *, age: float, horizon_days: float | None
) -> tuple[Standing, float, float]:
    """Standing, age and delay of one row whose endings agree."""
    horizon = float("inf") if horizon_days is None else horizon_days
    for ending in own:
        happened_after = (ending.occurred_at - row.handed_at).total_seconds() / DAY_SECONDS
        delay = max(0.0, (ending.recorded_at - row.handed_at).total_seconds() / DAY_SECONDS)
        if ending.verdict == "loss":
            return Standing.LOST, age, delay
        if happened_after <= horizon:
            return Standing.WON, age, delay
    return (Standing.EXPIRED if age >= horizon else Standing.OPEN), age, float("nan")


def _loss_record_share(labels: Labels, losses: Curve, horizon_days: float | None) -> float:
    """Rho: share of non-wins that ever get a loss record, from leads older than the horizon, else the oldest third."""
    not_won = ~labels.mask(Standing.WON)
    lost = labels.mask(Standing.LOST)
    horizon = float("inf") if horizon_days is None else horizon_days
    old = labels.ages >= horizon
    if (old & not_won).sum() >= OLD_ROWS_MIN:
        return float(lost[old].sum() / not_won[old].sum())
    if not len(labels.ages):
        return 0.0
    oldest = labels.ages >= np.quantile(labels.ages, 2 / 3)
    seen = losses.at(labels.ages[oldest & not_won])
    if not len(seen) or seen.mean() == 0:
        return 0.0
    return float(min(1.0, lost[oldest].sum() / not_won[oldest].sum() / seen.mean()))
