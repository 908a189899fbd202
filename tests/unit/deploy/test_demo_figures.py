"""The demo's figures are counted from events alone."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from deploy.demo.figures import count, document, percentile, span
from shared.contracts.envelope import Event
from shared.contracts.handoffs import ClockView, HandoffAssigned, HandoffClosed, HandoffOpened, HandoffTouched
from shared.contracts.kinds import Actor, HandoffState
from shared.ids import derived_id

_T0 = datetime(2026, 6, 1, 8, tzinfo=UTC)
_ANNA, _OWEN = derived_id("anna"), derived_id("owen")


def _event(kind: type[Any], minute: int, *, handoff: str = "h", lead: str = "l", **fields: Any) -> Event[Any]:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "handoff_id": derived_id(handoff),
        "lead_id": derived_id(lead),
        "root_lead_id": derived_id(lead),
        "motion": "new_business",
        "cycle": 1,
        "token": 1,
        "tier": "scored",
        "product": "default",
        "agreement_id": "default",
        "agreement_version": 1,
        "actor": Actor.SYSTEM,
        **fields,
    }
    at = _T0 + timedelta(minutes=minute)
    return Event.first(kind(**values), source="/baton/handoff", occurred_at=at, recorded_at=at)


def _opened(minute: int = 0, **fields: Any) -> Event[Any]:  # noqa: ANN401 - any field
    return _event(HandoffOpened, minute, seq=1, state=HandoffState.QUALIFIED, policy="qualified", **fields)


def _assigned(minute: int, owner: UUID, *, seq: int = 2, **fields: Any) -> Event[Any]:  # noqa: ANN401 - any field
    values: dict[str, Any] = {"is_rotated": True, "is_reassigned": False, "decision_id": derived_id("d"), **fields}
    return _event(HandoffAssigned, minute, seq=seq, state=HandoffState.ASSIGNED, owner_id=owner, **values)


def test_speed_to_lead_is_from_the_crossing_to_the_first_touch() -> None:
    clock = ClockView(clock_id=derived_id("c"), kind="touch", due_at=_T0, fire_at=_T0, clock_state="met")
    touched = _event(
        HandoffTouched,
        60,
        seq=3,
        state=HandoffState.WORKING,
        owner_id=_ANNA,
        touched_at=_T0 + timedelta(minutes=7),
        clocks=[clock],
    )
    figures = count([_opened(), _assigned(1, _ANNA), touched])
    assert figures.speeds() == [420]
    assert figures.clocks() == {"met": 1, "breached": 0, "void": 0, "armed": 0}


def test_of_a_clock_the_newest_state_counts_whatever_the_order_of_reading() -> None:
    def clock(state: str) -> list[ClockView]:
        return [ClockView(clock_id=derived_id("c"), kind="accept", due_at=_T0, fire_at=_T0, clock_state=state)]

    events = [
        _opened(),
        _assigned(1, _ANNA, clocks=clock("armed")),
        _assigned(2, _OWEN, seq=3, clocks=clock("breached")),
    ]
    assert count(reversed(events)).clocks()["breached"] == 1


def test_a_missed_promise_is_that_of_the_rep_who_had_the_lead_then() -> None:
    def clock(name: str, state: str) -> ClockView:
        return ClockView(clock_id=derived_id(name), kind="accept", due_at=_T0, fire_at=_T0, clock_state=state)

    events = [
        _opened(),
        _assigned(1, _ANNA, clocks=[clock("a", "armed")]),
        _assigned(2, _OWEN, seq=3, clocks=[clock("a", "breached"), clock("b", "armed")]),
        _event(
            HandoffTouched,
            3,
            seq=4,
            state=HandoffState.WORKING,
            owner_id=_OWEN,
            touched_at=_T0 + timedelta(minutes=3),
            clocks=[clock("b", "met")],
        ),
    ]
    ends = count(events).rep_clock_ends()
    assert ends == {(_ANNA, "accept", "breached"): 1, (_OWEN, "accept", "met"): 1}


def test_a_person_owned_twice_at_the_same_time_is_counted_once() -> None:
    twice = [
        _opened(handoff="a"),
        _assigned(1, _ANNA, handoff="a"),
        _opened(handoff="b"),
        _assigned(2, _OWEN, handoff="b"),
        _assigned(3, _OWEN, handoff="b", seq=3),
    ]
    assert len(count(twice).two_owner_leads) == 1


def test_one_owner_after_another_is_one_owner_also_within_one_instant() -> None:
    closed = _event(HandoffClosed, 5, handoff="a", seq=3, state=HandoffState.LOST, result="lost")
    one_instant = [_opened(handoff="a"), _assigned(1, _ANNA, handoff="a"), _assigned(5, _OWEN, handoff="b"), closed]
    assert count(one_instant).two_owner_leads == set()


def test_the_document_has_every_key_the_main_job_names() -> None:
    told = document(count([]), deliveries=1, repeats_dropped=0, ledger_gap=0, parked=0, outbox_waiting=0)
    assert {
        "deliveries", "activities", "repeats_dropped", "leads", "merged", "qualified", "handoffs", "clocks",
        "two_owner_leads", "ledger_gap", "parked", "outbox_waiting", "speed_to_lead_seconds", "model",
    } <= set(told)  # fmt: skip
    assert set(told["handoffs"]) == {
        "opened", "accepted", "rejected", "reassigned", "escalated", "won", "lost", "recycled", "open",
    }  # fmt: skip
    assert {"published", "promoted", "version", "predicted_over_actual_before", "predicted_over_actual_after"} <= set(
        told["model"]
    )


def test_percentiles_interpolate() -> None:
    assert percentile([1, 2, 3, 4], 0.5) == 2.5
    assert percentile([], 0.5) is None


def test_spans_are_said_in_the_unit_people_use() -> None:
    assert [span(90), span(7200), span(None)] == ["1.5 min", "2.0 h", "-"]
