"""The tests a challenger passes before two people may promote it, and the same tests that take a champion back.

Nothing is promoted on a look at the numbers: G1 is a confidence sequence, valid at every look (Howard et al. 2021;
asymptotic form of Waudby-Smith et al.). Every line of the sheet names the numbers it was decided by. Pure. SCORING
10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from services.feedback.domain.labels import Array
from services.feedback.domain.measures import (
    EFFECTIVE_N_MIN,
    auc,
    calibration_error,
    effective_n,
    predicted_over_actual,
    weighted_mean,
    wins_in_best,
)
from services.feedback.domain.tuning import log_loss, losses_of

ALPHA = 0.05
# The sequence is tightest near 1 / rho^2 = 500 outcomes, where a first re-tune is decided.
RHO_SQUARED = 1 / 500
WORKED_MIN = 100
RATIO_LOW, RATIO_HIGH = 0.9, 1.1
ECE_SLACK = 0.01
BEST_SHARE = 0.10
BEST_LOSS_SHARE = 0.9
BEST_DOUBT_MAX = 0.2
SLICE_MIN = 100
SLICE_BOUND = 1.96
BROKEN_MIN = 200
NOTHING = "no outcome that has matured carries both predictions yet"
RESAMPLES = 1_000
RESAMPLE_SEED = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """Matured outcomes in order of handoff, with both predictions as emitted then and the stored propensity."""

    won: Array
    champion: Array
    challenger: Array
    propensity: Array
    slices: Mapping[str, Sequence[str]]

    @property
    def weights(self) -> Array:
        """W = 1 / propensity."""
        return 1.0 / self.propensity

    @property
    def gains(self) -> Array:
        """D = log loss of the champion - log loss of the challenger, per outcome."""
        return losses_of(self.won, self.champion) - losses_of(self.won, self.challenger)


@dataclass(frozen=True, slots=True)
class GateLine:
    """One test: passed or not, and the sentence with every number it rests on."""

    test: str
    is_passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class GateSheet:
    """All tests of one challenger against one champion, and the figures both teams see beside them."""

    lines: tuple[GateLine, ...]
    metrics: Mapping[str, float]

    @property
    def is_passed(self) -> bool:
        """Whether every test holds; only then may two people promote."""
        return all(line.is_passed for line in self.lines)

    def adding(self, line: GateLine) -> "GateSheet":
        """The sheet with one more test."""
        return GateSheet(lines=(*self.lines, line), metrics=self.metrics)


def judge(compared: Compared, *, honest: GateLine) -> GateSheet:
    """G1 to G5 on the same outcomes; G5 is judged where facts are at hand, G6 is added where the card is served."""
    lines = (
        better(compared),
        calibrated(compared),
        top_of_list(compared),
        slices_hold(compared),
        honest,
    )
    return GateSheet(lines=lines, metrics=metrics(compared))


def better(compared: Compared) -> GateLine:
    """G1: the sequence on worked leads (n >= 100) and the weighted gain of all (effective n >= 50) are above 0."""
    gains = compared.gains
    n = len(gains)
    if not n:
        return GateLine(test="G1", is_passed=False, detail=f"{NOTHING}; {WORKED_MIN} are needed")
    lower = lower_bound(gains)
    mean, _ = weighted_mean(gains, compared.weights)
    weight_n = effective_n(compared.weights)
    is_worked_better = n >= WORKED_MIN and lower > 0
    is_all_better = weight_n >= EFFECTIVE_N_MIN and mean > 0
    detail = (
        f"worked leads: n {n} (needs {WORKED_MIN}), mean gain {_mean(gains):.4f}, sd {_sd(gains):.4f}, "
        f"lower bound {lower:.4f} (needs > 0); all leads: weighted gain {mean:.4f} (needs > 0), "
        f"effective n {weight_n:.1f} (needs {EFFECTIVE_N_MIN:.0f})"
    )
    return GateLine(test="G1", is_passed=is_worked_better and is_all_better, detail=detail)


def lower_bound(gains: Array) -> float:
    """mean(d) - sd(d) sqrt(2 (n rho^2 + 1) / (n^2 rho^2) ln(1 + sqrt(n rho^2 + 1) / (2 alpha))), valid at every n."""
    n = len(gains)
    if n < 2:
        return float("-inf")
    scaled = n * RHO_SQUARED + 1.0
    width = sqrt(2.0 * scaled / (n * n * RHO_SQUARED) * log(1.0 + sqrt(scaled) / (2.0 * ALPHA)))
    return _mean(gains) - _sd(gains) * width


def calibrated(compared: Compared) -> GateLine:
    """G2: predicted over actual in [.9, 1.1] or its 90 % interval holds 1; ECE at most the champion's + .01."""
    if not compared.won.sum():
        return GateLine(test="G2", is_passed=False, detail=f"{NOTHING} and was won")
    ratio = predicted_over_actual(compared.won, compared.challenger)
    ours = calibration_error(compared.won, compared.challenger)
    theirs = calibration_error(compared.won, compared.champion)
    is_near = RATIO_LOW <= ratio.value <= RATIO_HIGH or ratio.low <= 1.0 <= ratio.high
    before = predicted_over_actual(compared.won, compared.champion)
    detail = (
        f"predicted over actual {ratio.value:.3f}, 90 % interval {ratio.low:.3f} to {ratio.high:.3f} "
        f"(champion {before.value:.3f}); calibration error {ours:.4f} against {theirs:.4f} (may be {ECE_SLACK} more)"
    )
    return GateLine(test="G2", is_passed=is_near and ours <= theirs + ECE_SLACK, detail=detail)


def top_of_list(compared: Compared) -> GateLine:
    """G3: bootstrap chance that the best tenth wins over 10 % less is below .2."""
    if not len(compared.won):
        return GateLine(test="G3", is_passed=False, detail=NOTHING)
    doubt = _chance_worse(compared)
    ours = wins_in_best(compared.won, compared.challenger, share=BEST_SHARE)
    theirs = wins_in_best(compared.won, compared.champion, share=BEST_SHARE)
    detail = (
        f"best 10 %: {ours:.1f} wins against {theirs:.1f}, chance of over 10 % fewer {doubt:.3f} (< {BEST_DOUBT_MAX})"
    )
    return GateLine(test="G3", is_passed=doubt < BEST_DOUBT_MAX, detail=detail)


def slices_hold(compared: Compared) -> GateLine:
    """G4: no slice with >= 100 outcomes is worse beyond its own 95 % bound."""
    worse: list[str] = []
    judged = 0
    for dimension, values in compared.slices.items():
        for value in sorted(set(values)):
            gains = compared.gains[np.array([each == value for each in values], dtype=np.bool_)]
            if len(gains) < SLICE_MIN:
                continue
            judged += 1
            high = _mean(gains) + SLICE_BOUND * _sd(gains) / sqrt(len(gains))
            if high < 0:
                worse.append(f"{dimension} {value}: n {len(gains)}, gain {_mean(gains):.4f}, bound {high:.4f}")
    detail = "; ".join(worse) or f"{judged} slices of {SLICE_MIN} outcomes or more, none worse beyond its bound"
    return GateLine(test="G4", is_passed=not worse, detail=detail)


def reason_to_roll_back(since: Compared) -> str | None:
    """Why the promoted model (`challenger`) goes back to the former one (`champion`) on outcomes since promotion.

    G1 with the roles swapped, or G2 broken over 200 outcomes; None while neither holds.
    """
    swapped = better(
        Compared(
            won=since.won,
            champion=since.challenger,
            challenger=since.champion,
            propensity=since.propensity,
            slices={},
        )
    )
    if swapped.is_passed:
        return f"the former scorer has proven better again: {swapped.detail}"
    level = calibrated(since)
    if len(since.won) >= BROKEN_MIN and not level.is_passed:
        return f"calibration is broken over {len(since.won)} outcomes: {level.detail}"
    return None


def metrics(compared: Compared) -> dict[str, float]:
    """The figures reported always, naive and weighted side by side; weighted ones only from effective n 50."""
    won, weights = compared.won, compared.weights
    told: dict[str, float] = {"n": len(won), "wins": float(won.sum()), "effective_n": effective_n(weights)}
    for name, p in (("champion", compared.champion), ("challenger", compared.challenger)):
        told[f"{name}_auc"] = auc(won, p)
        told[f"{name}_log_loss"] = log_loss(won, p)
        told[f"{name}_calibration_error"] = calibration_error(won, p)
        told[f"{name}_predicted_over_actual"] = predicted_over_actual(won, p).value
        if effective_n(weights) >= EFFECTIVE_N_MIN:
            told[f"{name}_auc_all"] = auc(won, p, weights)
    if effective_n(weights) >= EFFECTIVE_N_MIN:
        told["win_rate_all"], told["win_rate_all_error"] = weighted_mean(won, weights)
    return {name: value for name, value in told.items() if value == value}  # noqa: PLR0124 - a nan is no figure


def _chance_worse(compared: Compared) -> float:
    """Bootstrap P(challenger's wins in the best tenth < 90 % of the champion's), over resampled leads."""
    n = len(compared.won)
    dice = np.random.default_rng(RESAMPLE_SEED)
    worse = 0
    for _ in range(RESAMPLES):
        rows = dice.integers(0, n, n)
        won = compared.won[rows]
        ours = wins_in_best(won, compared.challenger[rows], share=BEST_SHARE)
        theirs = wins_in_best(won, compared.champion[rows], share=BEST_SHARE)
        worse += bool(ours < BEST_LOSS_SHARE * theirs)
    return worse / RESAMPLES


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _sd(values: Array) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
