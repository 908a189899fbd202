"""One re-tune: judged as emitted then, on cohorts that matured, bit for bit the same from the same rows."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from services.feedback.domain.calibration import DECLARED, Emitted, calibration_report
from services.feedback.domain.commitments import Period
from services.feedback.domain.labels import Ending, label
from services.feedback.domain.retune import (
    NotYet,
    Proposal,
    TrainingRow,
    Wanted,
    as_emitted_weekly,
    handed,
    matured_cohorts,
    not_yet,
    propose,
    since_promotion,
    threshold_of,
)
from shared.contracts.model_card import ModelCard
from tests.support.builders.feedback import START, days, ending, handoff_id, lead_id, training_row

N = 360
WANTED = Wanted(
    family="points_platt", as_of=days(120), horizon_days=30, declared_rate=0.2, agreement_version=1, qualify=65
)


def quarter(*, declared: float | None = None) -> tuple[list[TrainingRow], list[Ending]]:
    """Four leads a day for 90 days; the chance of a win rises with the points and is far above the declared fifth."""
    dice = np.random.default_rng(5)
    rows: list[TrainingRow] = []
    endings: list[Ending] = []
    for number in range(N):
        at, points = days(number / 4), 40 + (number * 37) % 60
        rows.append(
            training_row(
                number,
                at=at,
                points=points,
                p_win=declared,
                facts={"title_level": ("vp", "staff")[number % 2], "count.page_view": str(number % 9)},
                known_at={"title_level": at, "count.page_view": at},
                group=("web", "call")[number % 2],
            )
        )
        is_won = dice.random() < 0.2 + (points - 40) / 100
        endings.append(ending(number, at=days(number / 4 + 8), verdict="win" if is_won else "loss"))
    return rows, endings


def test_a_quarter_of_outcomes_makes_a_promotable_card() -> None:
    rows, endings = quarter()
    found = propose(rows, endings, WANTED)
    assert isinstance(found, Proposal)
    assert found.sheet.is_passed, found.sheet.lines
    assert found.card.family == "points_platt"
    assert found.p_threshold == found.card.p_win(65, {})
    assert (found.wins + found.losses, found.open) == (N, 0)


def test_the_same_rows_and_moment_give_the_same_proposal() -> None:
    rows, endings = quarter()
    assert propose(rows, endings, WANTED) == propose(rows[::-1], endings[::-1], WANTED)


def test_a_scorecard_is_proposed_with_its_facts_and_their_provenance() -> None:
    rows, endings = quarter()
    found = propose(rows, endings, replace(WANTED, family="scorecard"))
    assert isinstance(found, Proposal)
    assert {line.fact for line in found.card.lines} == {"title_level", "count.page_view"}
    honest = next(line for line in found.sheet.lines if line.test == "G5")
    assert honest.is_passed
    told = [replace(row, facts={"notes": "x"}, known_at={"notes": row.decided_at}) for row in rows]
    refused = propose(told, endings, replace(WANTED, family="scorecard"))
    assert isinstance(refused, Proposal)
    assert "notes: nobody declared" in next(line.detail for line in refused.sheet.lines if line.test == "G5")


def test_too_few_outcomes_say_so() -> None:
    rows, endings = quarter()
    found = propose(rows[:20], endings, WANTED)
    assert isinstance(found, NotYet)
    assert found == not_yet(rows[:20], endings, WANTED)
    assert not_yet(rows, endings, WANTED) is None
    assert isinstance(not_yet(rows[:60], endings, replace(WANTED, family="scorecard")), NotYet)


def test_a_prediction_rests_on_nothing_learned_after_its_week_began() -> None:
    """Outcomes recorded after day 49 cannot change what would have been emitted before it."""
    rows, endings = quarter()
    later = [replace(each, verdict="loss") if each.recorded_at > days(49) else each for each in endings]
    before, after = (as_emitted_weekly(rows, told, WANTED) for told in (endings, later))
    early = [row.handoff_id for row in rows if row.handed_at < days(49)]
    assert {each: before.get(each) for each in early} == {each: after.get(each) for each in early}
    assert before != after
    assert as_emitted_weekly([], [], WANTED) == {}


def test_a_stored_shadow_score_is_taken_as_it_was_emitted() -> None:
    rows, endings = quarter()
    rows[-1] = replace(rows[-1], shadow=0.123)
    assert as_emitted_weekly(rows, endings, WANTED)[rows[-1].handoff_id] == 0.123


def test_a_cohort_counts_when_nine_in_ten_have_matured() -> None:
    rows = [training_row(number, at=days(number // 10)) for number in range(20)]
    told = [ending(number, at=days(2)) for number in range(9)] + [
        ending(number, at=days(2)) for number in range(10, 18)
    ]
    labels = label([handed(row) for row in rows], told, as_of=days(3), horizon_days=30)
    assert matured_cohorts(labels).tolist() == [True] * 9 + [False] * 11


def test_leads_that_nobody_could_have_handed_off_are_left_out() -> None:
    rows, endings = quarter()
    rows[0] = replace(rows[0], propensity=0.0)
    found = propose(rows, endings, WANTED)
    assert isinstance(found, Proposal)
    assert found.wins + found.losses == N - 1


def test_as_many_qualify_by_a_card_with_lines_as_by_signed_points() -> None:
    rows, endings = quarter()
    found = propose(rows, endings, replace(WANTED, family="scorecard"))
    assert isinstance(found, Proposal)
    signed = sum(row.points >= 65 for row in rows)
    by_card = sum(found.card.p_win(row.points, row.facts) >= found.p_threshold for row in rows)
    assert by_card >= signed
    assert threshold_of(ModelCard(family="points_platt", agreement_version=1, base=-65, a=1), rows, qualify=65) == 0.5


def test_calibration_is_told_per_scorer_that_emitted() -> None:
    rows, endings = quarter(declared=0.4)
    model = UUID(int=4)
    emitted = [
        Emitted(row=row, lead_id=lead_id(number), model_id=model if number >= N // 2 else None)
        for number, row in enumerate(rows)
    ]
    gate = {"champion_predicted_over_actual": 0.4, "challenger_predicted_over_actual": 1.02}
    period = Period(since=START, until=days(200))
    report = calibration_report(emitted, endings, wanted=WANTED, period=period, gate=gate)
    values = {cell.key: cell for cell in report.cells}
    assert values[f"{DECLARED}/matured"].value == values[f"{model}/matured"].value == N // 2
    assert values[f"{DECLARED}/predicted_over_actual"].value == pytest.approx(0.8, abs=0.15)
    assert len(values[f"{model}/wins"].lead_ids) == N // 2
    assert report.beside["predicted_over_actual_after"] == 1.02
    empty = calibration_report([], [], wanted=WANTED, period=period, gate={})
    assert [cell.value for cell in empty.cells] == [None, None]
    won_nothing = calibration_report(
        emitted[:40],
        [ending(n, at=days(9), verdict="loss") for n in range(40)],
        wanted=WANTED,
        period=period,
        gate={},
    )
    assert next(cell.value for cell in won_nothing.cells if cell.key.endswith("predicted_over_actual")) is None


def test_outcomes_since_promotion_stand_beside_what_the_former_scorer_said() -> None:
    rows, endings = quarter(declared=0.5)
    rows = [replace(row, shadow=0.3 if number % 2 else None) for number, row in enumerate(rows)]
    found = since_promotion(rows, endings, WANTED)
    assert set(found.challenger) == {0.5}
    assert set(found.champion) == {0.3, 0.2}
    assert len(found.won) == N


def test_the_row_of_a_label_is_its_handoff() -> None:
    assert handed(training_row("kim")).handoff_id == handoff_id("kim")
