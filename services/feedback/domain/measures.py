"""What a scorer is judged by: ranking, calibration, and weights that speak for all leads, each with its uncertainty.

Only matured outcomes, with the score as emitted then. Weighted figures use w = 1 / propensity (SNIPS); below
effective n 50 no population figure is shown. SCORING 7 and 9. Pure.
"""

from dataclasses import dataclass

import numpy as np

from services.feedback.domain.labels import Array

# Below this a weighted figure is one or two heavy leads speaking for everybody.
EFFECTIVE_N_MIN = 50.0
ECE_BINS = 15
RELIABILITY_BINS = 10
INTERVAL_90 = 1.645
BEST_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class Ratio:
    """Predicted over actual wins with its 90 % interval; nan when nothing was won."""

    value: float
    low: float
    high: float


def predicted_over_actual(won: Array, probabilities: Array) -> Ratio:
    """Sum p / sum y, and (sum p -+ 1.645 sqrt(sum p (1 - p))) / sum y."""
    wins = float(won.sum())
    if not wins:
        return Ratio(value=float("nan"), low=float("nan"), high=float("nan"))
    total = float(probabilities.sum())
    spread = INTERVAL_90 * float(np.sqrt((probabilities * (1.0 - probabilities)).sum()))
    return Ratio(value=total / wins, low=(total - spread) / wins, high=(total + spread) / wins)


def calibration_error(won: Array, probabilities: Array) -> float:
    """ECE over ECE_BINS bins of equal mass: sum over bins of share * |mean p - mean y|."""
    if not len(won):
        return float("nan")
    parts = np.array_split(np.argsort(probabilities, kind="stable"), ECE_BINS)
    gaps = [len(part) * abs(float(probabilities[part].mean() - won[part].mean())) for part in parts if len(part)]
    return float(sum(gaps)) / len(won)


def reliability(won: Array, probabilities: Array) -> list[tuple[int, float, float]]:
    """Per bin of equal mass, lowest first: rows, mean prediction, share won; empty bins are left out."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), RELIABILITY_BINS)
    return [(len(part), float(probabilities[part].mean()), float(won[part].mean())) for part in parts if len(part)]


def auc(won: Array, scores: Array, weights: Array | None = None) -> float:
    """Chance that a won lead ranks above another one, ties counting half; nan when one side is missing."""
    w = np.ones(len(won)) if weights is None else weights
    _, group = np.unique(scores, return_inverse=True)
    width = int(group.max()) + 1 if len(group) else 0
    lost_mass = np.bincount(group, weights=w * (1.0 - won), minlength=width)
    won_mass = np.bincount(group, weights=w * won, minlength=width)
    pairs = float(won_mass.sum() * lost_mass.sum())
    if not pairs:
        return float("nan")
    below = np.cumsum(lost_mass) - lost_mass
    return float((won_mass * (below + lost_mass / 2.0)).sum()) / pairs


def wins_in_best(won: Array, scores: Array, *, share: float = BEST_SHARE) -> float:
    """Expected wins among the best share of the leads by score (at least one lead), ties at the cut drawn by chance.

    Wins above the cut + places left * share won among the tied: a scorer that says the same of everybody gets its
    average.
    """
    places = max(1, round(share * len(scores)))
    cut = np.partition(scores, len(scores) - places)[len(scores) - places]
    above, tied = scores > cut, scores == cut
    return float(won[above].sum()) + (places - int(above.sum())) * float(won[tied].mean())


def effective_n(weights: Array) -> float:
    """(sum w)^2 / sum w^2: how many equally heavy leads the weighted ones are worth."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def weighted_mean(values: Array, weights: Array) -> tuple[float, float]:
    """SNIPS estimate m = sum w m / sum w and its standard error from w (m - m_hat) / w_bar; nan without rows."""
    if not len(values) or not float(weights.sum()):
        return float("nan"), float("nan")
    mean = float((weights * values).sum() / weights.sum())
    spread = weights * (values - mean) / weights.mean()
    return mean, float(spread.std() / np.sqrt(len(values)))
