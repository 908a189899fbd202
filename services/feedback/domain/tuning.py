"""Fits a scorer on soft labels by our own Newton ridge, and exports it as a card of integer points.

Two families: `points_platt` (the signed points, calibrated; from 30 matured outcomes with 10 wins) and `scorecard`
(it starts from what was signed and corrects it). Knows no clock and no store; the same rows give the same card bit
for bit. SCORING 5 and 7.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from services.feedback.domain.coding import CodedFact, Column, code, design, export
from services.feedback.domain.labels import Array, Curves, Labels, Standing, soft_labels
from shared.contracts.model_card import POINTS_PER_DOUBLING, ModelCard

LN2 = log(2.0)
# Fewer would calibrate noise (SCORING 7 and 12).
PLATT_MATURED_MIN = 30
PLATT_WINS_MIN = 10
SCORECARD_MATURED_MIN = 100
SCORECARD_WINS_MIN = 30
# Labels and fit settle each other: p makes q, q makes the next fit (SCORING 6).
SOFT_ROUNDS = 15
NEWTON_STEPS = 6
POINTS_PENALTY = 0.3
C_DEFAULT = 0.1
# Keeps the Hessian of a separable set invertible; far below any penalty above.
JITTER = 1e-9
LOGIT_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted scorer before rounding: weights by column of the design, what it was taught, and its own predictions."""

    facts: tuple[CodedFact, ...]
    weights: Array
    has_points: bool
    targets: Array
    probabilities: Array
    c: float


def may_calibrate(labels: Labels) -> bool:
    """Whether a Platt fit on the points is allowed: 30 matured outcomes with 10 wins."""
    return _enough(labels, PLATT_MATURED_MIN, PLATT_WINS_MIN)


def may_fit_scorecard(labels: Labels) -> bool:
    """Whether the learned scorecard may be fitted as a challenger: 100 matured outcomes with 30 wins."""
    return _enough(labels, SCORECARD_MATURED_MIN, SCORECARD_WINS_MIN)


def fit_scorecard(
    points: Array | None, columns: Mapping[str, Column], labels: Labels, known: Curves, *, c: float = C_DEFAULT
) -> Fit:
    """Fit z = beta_0 + a * ln 2 * points / 20 + sum of c(fact) to soft labels, SOFT_ROUNDS rounds, warm start.

    `points` None fits without the signed points. When a comes out below 0 the fit is repeated with a = 0: the
    signed points do not rank, and both teams are told.
    """
    facts = tuple(code(name, columns[name]) for name in sorted(columns))
    matrix, penalties = _matrix(points, facts, columns, len(labels.rows), c)
    weights, targets = _settle(matrix, penalties, labels, known)
    if points is not None and weights[1] < 0:
        return fit_scorecard(None, columns, labels, known, c=c)
    return Fit(
        facts=facts,
        weights=weights,
        has_points=points is not None,
        targets=targets,
        probabilities=_sigmoid(matrix @ weights),
        c=c,
    )


def predict(fit: Fit, points: Array, columns: Mapping[str, Column]) -> Array:
    """p_win of other rows by the fit before rounding."""
    matrix, _ = _matrix(points if fit.has_points else None, fit.facts, columns, len(points), fit.c)
    return _sigmoid(matrix @ fit.weights)


def to_card(fit: Fit, *, agreement_version: int) -> ModelCard:
    """The fit as integer points: round(20 * weight / ln 2), a with two decimals, neighbours of equal points merged."""
    scale = POINTS_PER_DOUBLING / LN2
    start = 2 if fit.has_points else 1
    return ModelCard(
        family="scorecard" if fit.facts else "points_platt",
        agreement_version=agreement_version,
        base=round(float(fit.weights[0]) * scale),
        a=round(float(fit.weights[1]), 2) if fit.has_points else 0.0,
        lines=export(fit.facts, fit.weights[start:] * scale),
    )


def shift(card: ModelCard, probabilities: Array, observed_wins: float) -> ModelCard:
    """The card with its intercept moved so that predicted wins equal the observed: the fast speed of SCORING 7."""
    z = np.log(probabilities / (1.0 - probabilities))
    low, high = -LOGIT_MAX, LOGIT_MAX
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if float(_sigmoid(z + middle).sum()) < observed_wins else (low, middle)
    return card.model_copy(update={"base": card.base + round(low * POINTS_PER_DOUBLING / LN2)})


def newton(
    matrix: Array, targets: Array, penalties: Array, *, start: Array | None = None, steps: int = NEWTON_STEPS
) -> Array:
    """Weights that minimise sum CE(q_i, sigmoid(z_i)) + 1/2 sum penalty_j * w_j^2, by Newton steps from `start`."""
    weights = np.zeros(matrix.shape[1]) if start is None else start
    for _ in range(steps):
        p = _sigmoid(matrix @ weights)
        gradient = matrix.T @ (p - targets) + penalties * weights
        curvature = (matrix * (p * (1.0 - p))[:, None]).T @ matrix
        curvature[np.diag_indices_from(curvature)] += penalties + JITTER
        weights = weights - np.linalg.solve(curvature, gradient)
    return weights


def log_loss(won: Array, probabilities: Array) -> float:
    """Mean of -ln of the probability given to what happened."""
    return float(losses_of(won, probabilities).mean()) if len(won) else float("nan")


def losses_of(won: Array, probabilities: Array) -> Array:
    """-ln of the probability given to what happened, per row; probabilities are kept away from 0 and 1 by 1e-9."""
    p = np.clip(probabilities, 1e-9, 1.0 - 1e-9)
    return -(won * np.log(p) + (1.0 - won) * np.log(1.0 - p))


def _settle(matrix: Array, penalties: Array, labels: Labels, known: Curves) -> tuple[Array, Array]:
    """Fit and soft labels after SOFT_ROUNDS rounds; without open rows the first round is the last."""
    won = labels.mask(Standing.WON)
    share = float(np.clip(won.mean(), 0.01, 0.99)) if len(won) else 0.5
    targets = soft_labels(labels, known, np.full(len(won), share))
    weights = newton(matrix, targets, penalties)
    if not labels.mask(Standing.OPEN).any():
        return weights, targets
    for _ in range(SOFT_ROUNDS - 1):
        targets = soft_labels(labels, known, _sigmoid(matrix @ weights))
        weights = newton(matrix, targets, penalties, start=weights, steps=1)
    return weights, targets


def _matrix(
    points: Array | None, facts: Sequence[CodedFact], columns: Mapping[str, Column], n: int, c: float
) -> tuple[Array, Array]:
    """Design and penalty per column: intercept free, the points' a at 0.3 (ln 2)^2, steps and indicators at 1 / C."""
    parts = [np.ones((n, 1))]
    penalties = [0.0]
    if points is not None:
        parts.append((LN2 / POINTS_PER_DOUBLING * points)[:, None])
        penalties.append(POINTS_PENALTY * LN2**2)
    for fact in facts:
        coded = design(fact, columns[fact.name])
        parts.append(coded)
        penalties.extend([1.0 / c] * coded.shape[1])
    return np.hstack(parts), np.array(penalties)


def _sigmoid(z: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -LOGIT_MAX, LOGIT_MAX)))


def _enough(labels: Labels, matured_min: int, wins_min: int) -> bool:
    counts = labels.counts()
    return sum(counts.values()) - counts[Standing.OPEN] >= matured_min and counts[Standing.WON] >= wins_min
