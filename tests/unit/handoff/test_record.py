"""How a decision moves the times of a handoff: entries, first touches, pauses; and notices by audience."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.handoff.domain.lifecycle import Handoff, State, decide, inputs
from services.handoff.domain.notices import AUDIENCE_OF_ACTION
from services.handoff.domain.record import Times, times_after
from tests.support.builders.handoff import NOON
from tests.unit.handoff.machine import ANNA, DECISION, POLICY, TERMS, in_state, reason

BLANK = Times("default", 1, NOON, NOON, NOON)
LATER = NOON + timedelta(hours=1)


def _after(handoff: Handoff, event: inputs.Input, *, times: Times = BLANK, at: datetime = LATER) -> Times:
    return times_after(times, handoff.state, decide(handoff, event, POLICY), now=at)


def test_an_assignment_ends_the_waiting() -> None:
    times = _after(in_state("qualified"), inputs.Route(rep_id=ANNA, decision_id=DECISION))
    assert (times.assigned_at, times.waiting_since, times.state_at) == (LATER, None, LATER)


def test_waiting_begins_when_nobody_has_it_and_is_kept_through_queues() -> None:
    times = _after(in_state("assigned"), inputs.Reject(by=ANNA, reason=reason("existing_opportunity")))
    assert times.waiting_since == LATER
    queued = inputs.NoRoute(queue="unrouted", reason="unrouted")
    assert _after(in_state("qualified"), queued, times=times, at=LATER + timedelta(1)).waiting_since == LATER


def test_acceptance_touch_disposal_and_end_are_dated() -> None:
    assert _after(in_state("assigned"), inputs.Accept(by=ANNA)).accepted_at == LATER
    touched = _after(in_state("accepted"), inputs.Touch(touched_at=NOON))
    assert touched.touched_at == NOON
    again = _after(in_state("working"), inputs.Touch(touched_at=LATER), times=touched)
    assert again.touched_at == NOON
    earlier = _after(in_state("working"), inputs.Touch(touched_at=NOON - timedelta(1)), times=touched)
    assert earlier.touched_at == NOON - timedelta(1)
    assert _after(in_state("accepted"), inputs.Touch()).touched_at == LATER
    done = _after(in_state("working"), inputs.Dispose(by=ANNA, how="opportunity"))
    assert (done.disposed_at, done.closed_at) == (LATER, None)
    assert _after(in_state("assigned"), inputs.Withdraw()).closed_at == LATER


def test_a_reopened_deal_is_not_closed() -> None:
    closed = replace(BLANK, closed_at=NOON)
    assert _after(in_state("won"), inputs.CrmResult(result="open", version=2), times=closed).closed_at is None


def test_a_pause_has_an_end_until_it_is_over() -> None:
    until = LATER + timedelta(1)
    paused = _after(in_state("accepted"), inputs.Pause(by=ANNA, reason_code="internal", until_at=until))
    assert paused.paused_until == until
    resumed = _after(in_state("paused"), inputs.Resume(by=ANNA), times=paused)
    assert (resumed.paused_until, resumed.state_at) == (None, NOON)


def test_every_rung_of_the_shipped_ladders_has_an_audience() -> None:
    said = {action for kind in POLICY.rungs for action in POLICY.rungs[kind]} - {"end"}
    assert said <= set(AUDIENCE_OF_ACTION)
    assert TERMS.policy("list").rungs.keys() == POLICY.rungs.keys()
    assert State.QUALIFIED.value == "qualified"
