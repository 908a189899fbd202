"""A handoff's record: read from its events, whatever else they carry."""

from typing import Any

import pytest

from services.feedback.domain.handoffs import step_of
from shared.contracts.handoffs import (
    ClockView,
    HandoffAccepted,
    HandoffEscalated,
    HandoffOpened,
    HandoffRejected,
    HandoffTouched,
)
from shared.contracts.kinds import HandoffState
from shared.ids import derived_id
from tests.support.builders.feedback import START, handoff_event, hours, record, step


def test_a_touch_counts_from_when_it_happened_not_from_when_it_was_told() -> None:
    told = step_of(handoff_event(HandoffTouched, "kim", 4, at=hours(9), touched_at=hours(2), is_late_evidence=True))
    assert (told.kind, told.at, told.recorded_at) == ("touched", hours(2), hours(9))


def test_the_first_touch_is_the_earliest_however_late_we_learned_of_it() -> None:
    found = record(
        "kim", step(1, "opened"), step(2, "touched", at=hours(5)), step(3, "touched", at=hours(2)), step(4, "closed")
    )
    assert found.touched_at == hours(2)


def test_an_opening_carries_its_decision_and_propensity() -> None:
    decision = derived_id("decision")
    told = step_of(handoff_event(HandoffOpened, "kim", 1, policy="explored", propensity=0.05, decision_id=decision))
    assert (told.policy, told.propensity, told.decision_id) == ("explored", 0.05, decision)


@pytest.mark.parametrize("cause", ["marketing", "system", "rep", "weather"])
def test_a_miss_names_its_cause_and_an_unknown_one_is_none(cause: str) -> None:
    clock_id = derived_id("clock")
    view = ClockView(clock_id=clock_id, kind="accept", due_at=START, fire_at=START, clock_state="breached")
    told = step_of(handoff_event(HandoffEscalated, "kim", 2, clock_id=clock_id, level=3, cause=cause, clocks=[view]))
    (clock,) = record("kim", step(1, "opened"), told).clocks()
    assert clock.cause == ("" if cause == "weather" else cause)
    assert clock.is_charged_to_rep is (cause in {"rep", "weather"})


@pytest.mark.parametrize(
    ("cause", "is_late", "is_charged"),
    [("rep", False, True), ("rep", True, False), ("system", False, False), ("marketing", False, False)],
)
def test_a_miss_by_an_act_that_came_too_late_is_charged_by_what_its_clock_says(
    cause: str, *, is_late: bool, is_charged: bool
) -> None:
    clock_id = derived_id("clock")

    def view(state: str, **more: Any) -> ClockView:  # noqa: ANN401 - fields of the view
        return ClockView(clock_id=clock_id, kind="accept", due_at=START, fire_at=START, clock_state=state, **more)

    reminded = handoff_event(
        HandoffEscalated, "kim", 2, clock_id=clock_id, level=1, cause="rep", clocks=[view("armed")]
    )
    breached = view("breached", cause=cause, is_late_by_system=is_late)
    accepted = handoff_event(HandoffAccepted, "kim", 3, clocks=[breached])
    for steps in ([accepted], [reminded, accepted]):
        (clock,) = record("kim", step(1, "opened"), *(step_of(each) for each in steps)).clocks()
        assert (clock.cause, clock.is_late_by_system, clock.is_charged_to_rep) == (cause, is_late, is_charged)


def test_a_record_tells_what_happened_first_and_what_stands_last() -> None:
    rejected: Any = step_of(
        handoff_event(HandoffRejected, "kim", 3, at=hours(2), reason_code="no_fit", state=HandoffState.DISQUALIFIED)
    )
    found = record("kim", step(1, "opened"), step(2, "assigned", at=hours(1)), rejected)
    assert (found.opened_at, found.assigned_at, found.accepted_at, found.touched_at) == (START, hours(1), None, None)
    assert found.is_ended
    assert found.disposed is None
    assert [each.reason_code for each in found.rejections] == ["no_fit"]
