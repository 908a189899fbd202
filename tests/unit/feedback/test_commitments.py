"""Both teams' promises: what counts, for whom, and when a verdict is final."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.feedback.domain.commitments import Facts, Period, Qualification, period_of, standing_of
from shared.contracts.agreement import Commitment
from tests.support.builders.feedback import START, clock, days, hours, lead_id, record, step

JUNE = Period(since=datetime(2026, 6, 1, tzinfo=UTC), until=datetime(2026, 7, 1, tzinfo=UTC))
LATER = datetime(2026, 9, 1, tzinfo=UTC)


def standing(measure: str, *handoffs: Any, now: datetime = LATER, **bounds: Any) -> Any:  # noqa: ANN401 - test values
    terms: dict[str, Any] = {"team": "sales", "measure": measure, "per": "month", "at_least": 0.9}
    commitment = Commitment(**terms | bounds)
    return standing_of(commitment, Facts(qualifications=[], handoffs=handoffs), period=JUNE, now=now)


def opened(lead: str, *steps: Any) -> Any:  # noqa: ANN401 - a record
    return record(lead, step(1, "opened"), *steps)


def test_a_touch_accepts_and_a_mere_rejection_does_not() -> None:
    found = standing(
        "acceptance_share",
        opened("a", step(2, "accepted")),
        opened("b", step(2, "touched")),
        opened("c", step(2, "rejected", reason_code="no_need")),
        opened("d"),
    )
    assert found.value == pytest.approx(2 / 3)
    assert [each.lead_id for each in found.sorted.undecided] == [lead_id("d")]


def test_a_rejection_that_another_rep_then_accepts_is_kept() -> None:
    found = standing("acceptance_share", opened("a", step(2, "rejected", reason_code="wrong"), step(3, "accepted")))
    assert found.value == 1.0


def test_a_handoff_counts_in_the_period_it_was_opened_in_and_in_no_other() -> None:
    first, next_first = JUNE.since, JUNE.until
    inside = record("a", step(1, "opened", at=first), step(2, "accepted", at=next_first))
    outside = record("b", step(1, "opened", at=next_first), step(2, "accepted", at=next_first))
    found = standing("acceptance_share", inside, outside)
    assert [each.lead_id for each in found.sorted.kept] == [lead_id("a")]


def test_bad_data_is_a_share_of_what_was_answered() -> None:
    found = standing(
        "bad_data_share",
        opened("a", step(2, "accepted")),
        opened("b", step(2, "rejected", reason_code="bad_data")),
        team="marketing",
        at_least=None,
        at_most=0.05,
    )
    assert (found.value, found.status) == (0.5, "missed")


def test_a_miss_by_the_system_or_by_marketing_is_not_charged_to_sales() -> None:
    due = days(1)
    missed = [clock("accept", "breached", due_at=due)]
    told: dict[str, Any] = {"clocks": tuple(missed), "clock_id": missed[0].clock_id}
    for cause, is_late, expected in (("rep", False, 0.5), ("marketing", False, 1.0), ("rep", True, 1.0)):
        found = standing(
            "accepted_in_time_share",
            opened("a", step(2, "escalated", cause=cause, is_late_by_system=is_late, **told)),
            opened("b", step(2, "accepted", clocks=(clock("accept", "met", due_at=due, name="b"),))),
        )
        assert found.value == expected


def test_late_evidence_turns_a_missed_clock_into_a_met_one() -> None:
    missed, met = clock("touch", "breached", due_at=days(1)), clock("touch", "met", due_at=days(1))
    told = step(2, "escalated", clocks=(missed,), clock_id=missed.clock_id)
    found = standing("first_touch_in_time_share", opened("a", told, step(3, "touched", clocks=(met,))))
    assert found.value == 1.0


def test_a_worked_lead_needs_an_end_with_a_reason() -> None:
    worked = step(2, "touched", at=hours(5))
    breached = clock("dispose", "breached", due_at=days(14))
    found = standing(
        "disposition_with_reason_share",
        opened("a", worked, step(3, "disposed", disposition="opportunity")),
        opened("b", worked, step(3, "disposed", disposition="recycle", reason_code="other")),
        opened("c", worked, step(3, "disposed", disposition="recycle", state="nurture")),
        opened("d", worked, step(3, "escalated", clocks=(breached,), clock_id=breached.clock_id)),
        opened("e", worked, step(3, "disposed", disposition="return")),
    )
    assert (len(found.sorted.kept), len(found.sorted.missed), len(found.sorted.undecided)) == (2, 2, 1)


def test_coverage_waits_thirty_days_for_an_answer() -> None:
    found = standing("feedback_coverage", opened("a"), now=days(20))
    assert len(found.sorted.undecided) == 1
    assert standing("feedback_coverage", opened("a"), now=days(31)).value == 0.0
    late = opened("a", step(2, "disposed", at=days(40), disposition="disqualify", reason_code="no_fit"))
    assert standing("feedback_coverage", late).value == 0.0
    assert standing("feedback_coverage", opened("a", step(2, "rejected", reason_code="no_fit"))).value == 1.0


def test_a_count_is_measured_against_the_part_of_the_period_that_passed() -> None:
    commitment = Commitment(team="marketing", measure="qualified_leads", per="month", at_least=100)
    facts = Facts(qualifications=[Qualification(lead_id(n), START) for n in range(50)], handoffs=[])
    half = JUNE.since + (JUNE.until - JUNE.since) / 2
    assert standing_of(commitment, facts, period=JUNE, now=half).status == "on_track"
    assert standing_of(commitment, facts, period=JUNE, now=JUNE.until).status == "missed"


def test_a_verdict_settles_for_thirty_days_while_something_is_undecided() -> None:
    handoffs = [opened("a", step(2, "accepted")), opened("b")]
    assert standing("acceptance_share", *handoffs, now=days(25)).status == "on_track"
    assert standing("acceptance_share", *handoffs, now=JUNE.until).status == "settling"
    lost = [*handoffs, opened("c", step(2, "rejected", reason_code="other"))]
    assert standing("acceptance_share", *lost, now=days(25)).status == "at_risk"
    assert standing("acceptance_share", *lost, now=JUNE.until).status == "cannot_be_reached"
    assert standing("acceptance_share", *lost).status == "missed"


def test_nothing_promised_on_is_kept() -> None:
    assert (standing("acceptance_share").value, standing("acceptance_share").status) == (None, "kept")


def test_periods_are_calendar_periods() -> None:
    moment = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
    assert period_of(moment, "week").since == datetime(2026, 11, 23, tzinfo=UTC)
    assert period_of(moment, "month").until == datetime(2026, 12, 1, tzinfo=UTC)
    assert period_of(moment, "quarter") == Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
