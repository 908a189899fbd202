"""The gate: equal challengers stay out, better ones pass, and every line names its numbers."""

import numpy as np
import pytest

from services.feedback.domain.gate import (
    Compared,
    GateLine,
    better,
    calibrated,
    judge,
    lower_bound,
    reason_to_roll_back,
    slices_hold,
    top_of_list,
)
from services.feedback.domain.measures import (
    auc,
    calibration_error,
    effective_n,
    predicted_over_actual,
    weighted_mean,
    wins_in_best,
)

HONEST = GateLine(test="G5", is_passed=True, detail="")


def compared(
    n: int = 400, *, champion: float = 0.05, propensity: float = 1.0, explored: int = 0, seed: int = 1
) -> Compared:
    """Leads whose true chance the challenger knows, against a champion that says the same of everybody."""
    dice = np.random.default_rng(seed)
    chance = dice.uniform(0.1, 0.8, n)
    won = (dice.random(n) < chance).astype(np.float64)
    weights = np.full(n, 1.0)
    weights[:explored] = propensity
    return Compared(
        won=won, champion=np.full(n, champion), challenger=chance, propensity=weights, slices={"source": ["web"] * n}
    )


def test_a_better_challenger_passes_every_test_and_each_line_has_numbers() -> None:
    sheet = judge(compared(), honest=HONEST)
    assert sheet.is_passed, sheet.lines
    assert [line.test for line in sheet.lines] == ["G1", "G2", "G3", "G4", "G5"]
    assert "n 400" in sheet.lines[0].detail
    assert "effective n 400.0" in sheet.lines[0].detail
    assert sheet.metrics["challenger_predicted_over_actual"] == pytest.approx(1, abs=0.15)


def test_an_equal_challenger_is_not_promoted() -> None:
    same = compared()
    assert not better(Compared(same.won, same.champion, same.champion, same.propensity, {})).is_passed


def test_under_a_hundred_worked_outcomes_nothing_is_promoted() -> None:
    assert not better(compared(99)).is_passed


def test_under_effective_n_fifty_nothing_is_said_of_all_leads() -> None:
    few = compared(propensity=0.005, explored=3)
    assert effective_n(few.weights) < 50
    assert not better(few).is_passed
    assert "win_rate_all" not in judge(few, honest=HONEST).metrics


def test_a_miscalibrated_challenger_fails_the_second_test() -> None:
    fair = compared()
    shifted = Compared(fair.won, fair.challenger, np.minimum(fair.challenger * 1.9, 0.99), fair.propensity, {})
    assert not calibrated(shifted).is_passed


def test_a_list_with_fewer_wins_at_its_top_fails_the_third_test() -> None:
    fair = compared()
    upside_down = Compared(fair.won, fair.challenger, 1 - fair.challenger, fair.propensity, {})
    assert not top_of_list(upside_down).is_passed


def test_a_slice_that_is_worse_fails_the_fourth_test() -> None:
    fair = compared(400)
    spoilt = fair.challenger.copy()
    spoilt[:200] = 1 - spoilt[:200]
    slices = {"source": ["web"] * 200 + ["call"] * 200}
    line = slices_hold(Compared(fair.won, fair.challenger, spoilt, fair.propensity, slices))
    assert not line.is_passed
    assert "source web" in line.detail
    assert "call" not in line.detail


def test_a_promoted_model_that_became_worse_is_taken_back() -> None:
    fair = compared()
    worse = Compared(fair.won, fair.challenger, fair.champion, fair.propensity, {})
    assert (reason_to_roll_back(worse) or "").startswith("the former scorer has proven better")
    assert reason_to_roll_back(fair) is None


def test_a_promoted_model_whose_level_broke_over_two_hundred_outcomes_is_taken_back() -> None:
    fair = compared(250)
    broken = Compared(fair.won, fair.challenger * 1.35, fair.challenger * 1.3, fair.propensity, {})
    assert (reason_to_roll_back(broken) or "").startswith("calibration is broken over 250")
    few = Compared(fair.won[:150], broken.champion[:150], broken.challenger[:150], fair.propensity[:150], {})
    assert reason_to_roll_back(few) is None


def test_the_bound_is_below_the_mean_and_closes_in() -> None:
    gains = np.random.default_rng(0).normal(0.1, 0.5, 2_000)
    assert lower_bound(gains[:1]) == float("-inf")
    assert lower_bound(gains[:200]) < lower_bound(gains) < gains.mean()


def test_no_outcome_is_no_pass() -> None:
    empty = Compared(np.array([]), np.array([]), np.array([]), np.array([]), {})
    assert not judge(empty, honest=HONEST).is_passed


def test_ranking_counts_ties_half() -> None:
    assert auc(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.9, 0.5, 0.1])) == 0.625


def test_measures_of_nothing_are_unknown() -> None:
    assert np.isnan(predicted_over_actual(np.zeros(3), np.full(3, 0.2)).value)
    assert np.isnan(calibration_error(np.array([]), np.array([])))
    assert np.isnan(weighted_mean(np.array([]), np.array([]))[0])
    assert np.isnan(auc(np.zeros(2), np.zeros(2)))


def test_a_scorer_that_says_the_same_of_everybody_gets_the_average_of_the_list() -> None:
    won = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert wins_in_best(won, np.full(10, 0.2), share=0.2) == pytest.approx(0.6)
    assert wins_in_best(won, np.arange(10.0), share=0.2) == 0
    assert wins_in_best(won, -np.arange(10.0), share=0.2) == 1
