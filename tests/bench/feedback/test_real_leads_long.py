"""SCORING 14, benches 4, 8, 12 and 14: figures that take longer than a check may; `make bench` runs them."""

from datetime import timedelta
from functools import cache
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import pytest

from services.feedback.domain.labels import curves, label
from services.feedback.domain.provenance import declared_of, refused_by_provenance, smells
from services.feedback.domain.tuning import fit_scorecard, predict, to_card
from tests.bench.feedback.real_leads import (
    START,
    columns_of,
    endings_of,
    figures,
    handed_at,
    hard_labels,
    rows_of,
    served,
    splits,
    told,
)


@cache
def bpi2012() -> Any:  # noqa: ANN401 - a task of the data set; reading the log takes seconds
    data = splits()
    return None if data is None else data.bpi2012()


def test_the_exported_card_ranks_the_loan_desk_as_well_as_the_field() -> None:
    """Bench 4, on the card after rounding: what is shown is what decides."""
    data, loaded = splits(), bpi2012()
    if loaded is None:
        return
    task = loaded[0]
    points = data.bpi2012_points(task.columns)
    columns = columns_of(task)
    ((train, test),) = task.folds
    labels = hard_labels(task.y[train])
    fit = fit_scorecard(points[train], rows_of(columns, train), labels, curves(labels, horizon_days=None))
    p = served(to_card(fit, agreement_version=1), points[test], rows_of(columns, test))
    found = figures(task.y[test].astype(np.float64), p)
    told("bpi2012", found)
    assert found["auc"] >= 0.61
    assert found["log_loss"] <= 0.619


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.2, 0.0])
def test_soft_labels_hold_whatever_share_of_losses_is_recorded(kept: float) -> None:
    """Bench 8: BPI 2012 week by week; resolved only gives 1.52 and 2.19 when half or a fifth of the losses is kept."""
    data, loaded = splits(), bpi2012()
    if loaded is None:
        return
    task, at, won, lost = loaded
    columns = columns_of(task, without=["qualifier"])
    is_kept = np.random.default_rng(7).random(len(at)) < kept
    lost = [moment if is_kept[row] else None for row, moment in enumerate(lost)]
    rows, endings = handed_at(at), [*endings_of(won, "win"), *endings_of(lost, "loss")]
    predicted: list[Any] = []
    actual: list[Any] = []
    for start, end in data.BPI_WEEKS:
        train = [row for row, moment in enumerate(at) if moment < start]
        test = [row for row, moment in enumerate(at) if start <= moment < end]
        labels = label([rows[row] for row in train], endings, as_of=start, horizon_days=45)
        fit = fit_scorecard(None, rows_of(columns, train), labels, curves(labels, horizon_days=45))
        predicted.append(predict(fit, np.zeros(len(test)), rows_of(columns, test)))
        actual.append([_is_won_within(won[row], at[row]) for row in test])
    found = figures(np.concatenate(actual).astype(np.float64), np.concatenate(predicted))
    told(f"bpi2012 weekly, {kept:.0%} of losses recorded", found)
    assert found["log_loss"] <= 0.604
    assert 0.95 <= found["predicted_over_actual"] <= 1.06


def test_leaks_are_refused_by_provenance_and_the_smell_test_flags_no_honest_column() -> None:
    """Bench 12."""
    data = splits()
    if data is None:
        return
    leaks = ["Tags", "Lead Quality", "Lead Profile", "Last Notable Activity", "duration"]
    assert [refusal.fact for refusal in refused_by_provenance(leaks, declared_of(leaks))] == leaks
    honest = [data.xeducation(), data.olist()[0], data.bpi2012()[0], data.bank()]
    flagged = [
        refusal.fact for task in honest for refusal in smells(columns_of(task), np.asarray(task.y, dtype=np.float64))
    ]
    assert flagged == []
    leaky = data.xeducation("leaky")
    found = {refusal.fact for refusal in smells(columns_of(leaky), np.asarray(leaky.y, dtype=np.float64))}
    assert "Tags" in found


def test_a_retune_of_ten_thousand_leads_with_twenty_facts_is_fitted() -> None:
    """Bench 14: 15 rounds of soft labels; the CPU time is told, not asserted."""
    dice = np.random.default_rng(0)
    n = 10_000
    columns = {f"fact {at}": [str(each) for each in dice.integers(0, 200, n)] for at in range(20)}
    ages = dice.uniform(0, 120, n)
    rows = handed_at([START + timedelta(days=120 - float(age)) for age in ages])
    ends = [START + timedelta(days=120 - float(age) + 20) if dice.random() < 0.5 else None for age in ages]
    labels = label(rows, endings_of(ends, "win"), as_of=START + timedelta(days=120), horizon_days=90)
    started = process_seconds()
    fit = fit_scorecard(dice.uniform(0, 100, n), columns, labels, curves(labels, horizon_days=90))
    told("re-tune", {"cpu_seconds": process_seconds() - started, "columns": float(len(fit.weights))})
    assert len(fit.weights) > 300


def process_seconds() -> float:
    """CPU seconds of this process."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _is_won_within(won: Any, at: Any) -> bool:  # noqa: ANN401 - moments of the data set
    return won is not None and won - at <= timedelta(days=45)
