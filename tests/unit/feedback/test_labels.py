"""Labels as of a moment: what was known then, and nothing else."""

import numpy as np

from services.feedback.domain.labels import Standing, curves, label, reverse_time_limit, soft_labels
from tests.support.builders.feedback import days, ending, handed, handoff_id


def test_an_open_lead_is_neither_won_nor_lost() -> None:
    found = label([handed("kim")], [], as_of=days(10), horizon_days=90)
    assert found.standings == (Standing.OPEN,)


def test_an_open_lead_expires_at_the_horizon() -> None:
    found = label([handed("kim")], [], as_of=days(90), horizon_days=90)
    assert found.standings == (Standing.EXPIRED,)


def test_a_win_counts_only_from_when_it_was_learned() -> None:
    told = [ending("kim", at=days(5), recorded_at=days(8))]
    before = label([handed("kim")], told, as_of=days(7), horizon_days=90)
    after = label([handed("kim")], told, as_of=days(8), horizon_days=90)
    assert (before.standings, after.standings) == ((Standing.OPEN,), (Standing.WON,))
    assert after.delays[0] == 8


def test_a_win_within_the_horizon_counts_however_late_it_is_learned() -> None:
    told = [ending("kim", at=days(89), recorded_at=days(120))]
    assert label([handed("kim")], told, as_of=days(121), horizon_days=90).standings == (Standing.WON,)


def test_a_win_after_the_horizon_is_no_win() -> None:
    told = [ending("kim", at=days(95))]
    assert label([handed("kim")], told, as_of=days(100), horizon_days=90).standings == (Standing.EXPIRED,)


def test_a_correction_counts_from_when_it_was_recorded() -> None:
    won = ending("kim", at=days(5))
    lost = ending("kim", at=days(9), verdict="loss", supersedes=won.outcome_id)
    assert label([handed("kim")], [won, lost], as_of=days(8), horizon_days=90).standings == (Standing.WON,)
    assert label([handed("kim")], [won, lost], as_of=days(9), horizon_days=90).standings == (Standing.LOST,)


def test_a_deal_opened_again_is_open_again() -> None:
    won = ending("kim", at=days(5))
    opened = ending("kim", at=days(6), verdict="none", supersedes=won.outcome_id)
    assert label([handed("kim")], [won, opened], as_of=days(7), horizon_days=90).standings == (Standing.OPEN,)


def test_contradicting_outcomes_train_nothing() -> None:
    told = [ending("kim", at=days(5)), ending("kim", at=days(6), verdict="loss")]
    found = label([handed("kim"), handed("ann")], told, as_of=days(7), horizon_days=90)
    assert found.conflicts == (handoff_id("kim"),)
    assert [row.handoff_id for row in found.rows] == [handoff_id("ann")]


def test_a_lead_handed_off_later_has_no_label_yet() -> None:
    assert label([handed("kim", at=days(3))], [], as_of=days(2), horizon_days=90).rows == ()


def test_young_ends_do_not_stand_for_all_ends() -> None:
    """Two leads of age 10 ended after 1 and 9 days, one of age 2 after 1.

    Of what ends within 9 days 2/3 is not young.
    """
    curve = reverse_time_limit(np.array([1.0, 9.0, 1.0]), np.array([10.0, 10.0, 2.0]))
    assert curve.at(np.array([0.5, 1.0, 8.0, 9.0])).tolist() == [0.5 * 2 / 3 * 2 / 3, 0.5, 0.5, 1.0] or np.allclose(
        curve.at(np.array([1.0, 8.0, 9.0])), [0.5, 0.5, 1.0]
    )


def test_nothing_ended_expects_nothing_more() -> None:
    curve = reverse_time_limit(np.array([]), np.array([]))
    assert curve.at(np.array([0.0, 5.0])).tolist() == [1.0, 1.0]


def test_a_soft_label_is_between_its_probability_and_nothing() -> None:
    rows = [handed(name) for name in range(40)]
    told = [ending(name, at=days(1 + name % 9), verdict=("win", "loss")[name % 2]) for name in range(20)]
    found = label(rows, told, as_of=days(10), horizon_days=90)
    known = curves(found, horizon_days=90)
    soft = soft_labels(found, known, np.full(40, 0.5))
    assert set(soft[:20:2]) == {1.0}
    assert set(soft[1:20:2]) == {0.0}
    assert all(0 <= each <= 0.5 for each in soft[20:])


def test_rho_is_the_share_of_old_non_wins_with_a_record() -> None:
    rows = [handed(name) for name in range(100)]
    told = [ending(name, at=days(5), verdict="loss") for name in range(25)]
    found = label(rows, told, as_of=days(91), horizon_days=90)
    assert curves(found, horizon_days=90).rho == 0.25


def test_a_group_with_fifty_wins_has_its_own_curve() -> None:
    rows = [handed(name, group="web" if name < 60 else "call") for name in range(90)]
    told = [ending(name, at=days(1 if name < 60 else 8)) for name in range(90)]
    found = label(rows, told, as_of=days(10), horizon_days=90)
    assert set(curves(found, horizon_days=90).groups) == {"web"}
