"""Which step is which outcome, and which outcomes are ends."""

import pytest

from services.feedback.domain.disposition import Told, contradicts, is_ending, outcome_of, outcome_of_result
from shared.contracts.agreement import default_agreement
from tests.support.builders.feedback import step

REASONS = default_agreement().reasons


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (step(1, "accepted"), Told("accepted", "", ())),
        (step(1, "rejected", reason_code="no_fit"), Told("rejected", "no_fit", ("unfit",))),
        (step(1, "rejected", reason_code="bad_timing"), Told("rejected", "bad_timing", ())),
        (step(1, "rejected", reason_code="unheard of"), Told("rejected", "unheard of", ())),
        (step(1, "disposed", disposition="opportunity"), Told("opportunity", "", ())),
        (step(1, "disposed", disposition="recycle", reason_code="other"), Told("recycled", "other", ())),
        (
            step(1, "disposed", disposition="disqualify", reason_code="no_fit"),
            Told("disqualified", "no_fit", ("unfit",)),
        ),
        (step(1, "disposed", disposition="return"), None),
        (step(1, "assigned"), None),
    ],
)
def test_each_step_is_its_outcome_or_none(told: object, expected: Told | None) -> None:
    assert outcome_of(told, REASONS) == expected  # type: ignore[arg-type]  # parametrized


def test_only_wins_losses_and_unfit_leads_end_a_label() -> None:
    assert [is_ending(what, ()) for what in ("won", "lost", "disqualified", "rejected", "recycled")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert is_ending("rejected", ("unfit",))


def test_a_win_contradicts_an_end_without_one() -> None:
    assert contradicts("won", "disqualified")
    assert contradicts("lost", "won")
    assert not contradicts("won", "opportunity")
    assert not contradicts("lost", "disqualified")


def test_an_open_deal_is_an_opportunity() -> None:
    assert [outcome_of_result(each) for each in ("open", "won", "lost")] == ["opportunity", "won", "lost"]
