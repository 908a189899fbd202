"""Fits: the same rows give the same card, points add up, and what is not allowed is not fitted."""

import numpy as np
import pytest

from services.feedback.domain.coding import Column, code, design, export
from services.feedback.domain.labels import Labels, curves, label
from services.feedback.domain.tuning import (
    fit_scorecard,
    may_calibrate,
    may_fit_scorecard,
    predict,
    shift,
    to_card,
)
from shared.contracts.model_card import ModelCard, probability_of
from tests.support.builders.feedback import days, ending, handed

N = 300


def labelled(chance: list[float], *, open_every: int = 0) -> Labels:
    """Hard labels drawn by these chances; every so many rows stay open."""
    dice = np.random.default_rng(3)
    rows = [handed(name) for name in range(len(chance))]
    told = [
        ending(name, at=days(5), verdict="win" if dice.random() < each else "loss")
        for name, each in enumerate(chance)
        if not open_every or name % open_every
    ]
    return label(rows, told, as_of=days(30), horizon_days=90)


def test_platt_finds_the_slope_and_the_level() -> None:
    points = np.arange(N) % 100
    chance = [probability_of(float(each) - 60) for each in points]
    found = labelled(chance)
    card = to_card(fit_scorecard(points.astype(float), {}, found, curves(found, horizon_days=90)), agreement_version=1)
    assert card.family == "points_platt"
    assert 0.7 < card.a < 1.4
    assert card.p_win(60, {}) == pytest.approx(0.5, abs=0.12)


def test_points_that_do_not_rank_get_no_weight() -> None:
    points = np.arange(N) % 100
    found = labelled([probability_of(40.0 - each) for each in points])
    card = to_card(fit_scorecard(points.astype(float), {}, found, curves(found, horizon_days=90)), agreement_version=1)
    assert card.a == 0


def test_a_scorecard_corrects_what_was_signed() -> None:
    points = np.full(N, 50.0)
    pages = [str(each % 10) if each % 7 else None for each in range(N)]
    columns: dict[str, Column] = {"pages": pages, "level": ["vp", "staff"] * (N // 2)}
    found = labelled([0.8 if each % 10 >= 5 else 0.2 for each in range(N)], open_every=6)
    known = curves(found, horizon_days=90)
    fit = fit_scorecard(points, columns, found, known)
    card = to_card(fit, agreement_version=1)
    high, low = {"pages": "9"}, {"pages": "1"}
    assert card.p_win(50, high) > 0.6
    assert card.p_win(50, low) < 0.4
    assert card.total(50, high) == card.base + card.signed_part(50) + sum(card.reasons(high).values())
    assert np.array_equal(predict(fit, points, columns), fit.probabilities)


def test_the_same_rows_give_the_same_card() -> None:
    columns = {"pages": [str(each % 13) for each in range(N)]}
    found = labelled([0.3] * N, open_every=4)
    known = curves(found, horizon_days=90)
    cards = [
        to_card(fit_scorecard((np.arange(N) % 90).astype(np.float64), columns, found, known), agreement_version=1)
        for _ in range(2)
    ]
    assert cards[0] == cards[1] == ModelCard.model_validate_json(cards[0].model_dump_json())


def test_thirty_matured_with_ten_wins_may_be_calibrated_and_no_fewer() -> None:
    for wins, losses, expected in ((10, 20, True), (9, 21, False), (10, 19, False)):
        rows = [handed(name) for name in range(wins + losses)]
        told = [ending(name, at=days(1), verdict="win" if name < wins else "loss") for name in range(wins + losses)]
        assert may_calibrate(label(rows, told, as_of=days(2), horizon_days=90)) is expected
    assert not may_fit_scorecard(labelled([1.0] * 29 + [0.0] * 60))
    assert may_fit_scorecard(labelled([1.0] * 40 + [0.0] * 60))


def test_numbers_are_cut_and_coded_in_order_and_the_last_bin_holds() -> None:
    fact = code("pages", [str(each) for each in range(100)])
    coded = design(fact, ["-5", "50", "10000", None])
    assert fact.is_number
    assert len(fact.cuts) == 19
    assert coded.sum(axis=1).tolist() == [0, 10, 19, 0]


def test_rare_values_share_one_indicator_and_missing_has_its_own() -> None:
    fact = code("level", ["vp"] * 12 + ["cfo"] * 3 + [None] * 5)
    assert (fact.values, fact.has_rare, fact.has_missing) == (("vp",), True, True)
    assert design(fact, ["vp", "cfo", None, "new"]).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_neighbours_of_equal_points_are_merged_on_the_card() -> None:
    fact = code("pages", [str(each) for each in range(100)])
    steps = np.zeros(fact.width)
    steps[9] = 12.0
    (line,) = export([fact], steps)
    assert (len(line.cuts), line.points) == (1, (0, 12))


def test_a_number_that_is_nearly_constant_keeps_one_step() -> None:
    assert code("flag", ["0"] * 99 + ["1"]).cuts == (1.0,)
    assert code("flag", ["0"] * 10).cuts == ()


def test_the_fast_speed_moves_the_level_to_what_was_observed() -> None:
    card = ModelCard(family="points_platt", agreement_version=1, base=0, a=1)
    probabilities = np.full(200, 0.5)
    moved = shift(card, probabilities, observed_wins=40)
    assert probability_of(moved.base) == pytest.approx(0.2, abs=0.02)
