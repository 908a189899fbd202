"""SCORING 14, benches 1, 2, 7 and a small 11.

Figures on public data, read where it lies; told when it is not there.
"""

from typing import Any

import numpy as np
import pytest

from services.feedback.domain.gate import lower_bound
from services.feedback.domain.labels import Array, curves, label
from services.feedback.domain.tuning import fit_scorecard, losses_of, predict, to_card
from tests.bench.feedback.real_leads import (
    columns_of,
    endings_of,
    figures,
    handed_at,
    hard_labels,
    rows_of,
    served,
    splits,
    told,
    utc,
)

RESAMPLES = 300


@pytest.mark.parametrize(
    ("name", "least_auc", "most_loss"),
    [("xeducation", 0.840, 0.470), ("olist", 0.68, 0.317)],
)
def test_the_exported_card_ranks_and_calibrates_as_well_as_the_field(
    name: str, least_auc: float, most_loss: float
) -> None:
    """Benches 1 and 2, on the card after rounding: what is shown is what decides."""
    data = splits()
    if data is None:
        return
    loaded = getattr(data, name)()
    task = loaded[0] if isinstance(loaded, tuple) else loaded
    points = getattr(data, f"{name}_points")(task.columns)
    columns = columns_of(task)
    ((train, test),) = task.folds
    labels = hard_labels(task.y[train])
    fit = fit_scorecard(points[train], rows_of(columns, train), labels, curves(labels, horizon_days=None))
    card = to_card(fit, agreement_version=1)
    held = rows_of(columns, test)
    p = served(card, points[test], held)
    found = figures(task.y[test].astype(np.float64), p)
    told(name, found)
    assert found["auc"] >= least_auc
    assert found["log_loss"] <= most_loss


def test_soft_labels_keep_predicted_over_actual_near_one_on_olist_week_by_week() -> None:
    """Bench 7: wins come late and no loss is ever recorded; open counted as lost gives .65, resolved only 2.64."""
    data = splits()
    if data is None:
        return
    task, at, won = data.olist("2017-12-05")
    columns = columns_of(task, without=["dow"])
    rows, endings = handed_at(at), endings_of(won, "win")
    predicted: list[Any] = []
    actual: list[Any] = []
    for start, end in data.OLIST_WEEKS:
        train = [row for row, moment in enumerate(at) if moment < start]
        test = [row for row, moment in enumerate(at) if start <= moment < end]
        labels = label([rows[row] for row in train], endings, as_of=utc(start), horizon_days=None)
        known = curves(labels, horizon_days=None, rho=0.0)
        fit = fit_scorecard(None, rows_of(columns, train), labels, known)
        predicted.append(predict(fit, np.zeros(len(test)), rows_of(columns, test)))
        actual.append(task.y[test])
    found = figures(np.concatenate(actual).astype(np.float64), np.concatenate(predicted))
    told("olist weekly", found)
    assert found["log_loss"] <= 0.375
    assert found["calibration_error"] <= 0.024
    assert 0.95 <= found["predicted_over_actual"] <= 1.05


def test_equal_challengers_stay_out_and_a_better_one_is_found_soon() -> None:
    """Bench 11: X Education shuffled, looked at every 100 outcomes.

    A bound looked at as often promotes equals in 25 %.
    """
    data = splits()
    if data is None:
        return
    task = data.xeducation()
    order = np.random.default_rng(0).permutation(len(task.y))
    third = len(order) // 3
    train, held = order[:third], order[third + third // 2 :]
    columns = columns_of(task)
    points = data.xeducation_points(task.columns)
    labels = hard_labels(task.y[train])
    known = curves(labels, horizon_days=None)
    better = predict(fit_scorecard(None, rows_of(columns, train), labels, known), points[held], rows_of(columns, held))
    platt = predict(fit_scorecard(points[train], {}, labels, known), points[held], {})
    won = task.y[held].astype(np.float64)
    gains = losses_of(won, platt) - losses_of(won, better)
    dice = np.random.default_rng(1)
    found_at = [_first_pass(gains[dice.integers(0, len(gains), 2_000)]) for _ in range(RESAMPLES)]
    signs = dice.choice([-1.0, 1.0], (RESAMPLES, 2_000))
    equal = [_first_pass(gains[dice.integers(0, len(gains), 2_000)] * signs[at]) for at in range(RESAMPLES)]
    power = sum(each is not None for each in found_at) / RESAMPLES
    median = float(np.median([each for each in found_at if each is not None]))
    falsely = sum(each is not None for each in equal) / RESAMPLES
    told("gate", {"power": power, "median_n": median, "equal_promoted": falsely})
    assert power >= 0.99
    assert median <= 300
    assert falsely <= 0.05


def _first_pass(gains: Array) -> int | None:
    """The first look at which the sequence is above 0."""
    return next((n for n in range(100, len(gains) + 1, 100) if lower_bound(gains[:n]) > 0), None)
