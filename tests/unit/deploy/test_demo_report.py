"""The demo's tables: each person once, promises with the rep whose they were, a dash where nothing is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.demo.figures import count, document
from deploy.demo.report import tables
from shared.contracts.envelope import Event
from shared.contracts.handoffs import ClockView, HandoffAssigned, HandoffClosed, HandoffOpened, HandoffTouched
from shared.contracts.kinds import Actor, HandoffState
from shared.contracts.leads import LeadIdentified
from shared.ids import derived_id

_T0 = datetime(2026, 6, 1, 8, tzinfo=UTC)
_ANNA = derived_id("anna")


def _event(payload: Any, minute: int) -> Event[Any]:  # noqa: ANN401 - any payload
    at = _T0 + timedelta(minutes=minute)
    return Event.first(payload, source="/baton/handoff", occurred_at=at, recorded_at=at)


def _handoff(kind: type[Any], minute: int, *, handoff: str, seq: int, **fields: Any) -> Event[Any]:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "handoff_id": derived_id(handoff),
        "lead_id": derived_id("kim"),
        "root_lead_id": derived_id("kim"),
        "motion": "new_business",
        "cycle": 1,
        "seq": seq,
        "token": 1,
        "tier": "scored",
        "product": "default",
        "agreement_id": "default",
        "agreement_version": 1,
        "actor": Actor.SYSTEM,
        **fields,
    }
    return _event(kind(**values), minute)


def _clock(state: str) -> list[ClockView]:
    return [ClockView(clock_id=derived_id("c"), kind="accept", due_at=_T0, fire_at=_T0, clock_state=state)]


def _life() -> list[Event[Any]]:
    """Kim is handed off, touched after an hour, lost; then handed off once more."""
    known = LeadIdentified(lead_id=derived_id("kim"), profile_version=1, is_known=True, entry_channel="website")
    assigned = {"is_rotated": True, "is_reassigned": False, "decision_id": derived_id("d"), "owner_id": _ANNA}
    touched = {"touched_at": _T0 + timedelta(minutes=60), "owner_id": _ANNA, "clocks": _clock("met")}
    return [
        _event(known, 0),
        _handoff(HandoffOpened, 0, handoff="a", seq=1, state=HandoffState.QUALIFIED, policy="qualified"),
        _handoff(
            HandoffAssigned, 1, handoff="a", seq=2, state=HandoffState.ASSIGNED, clocks=_clock("armed"), **assigned
        ),
        _handoff(HandoffTouched, 60, handoff="a", seq=3, state=HandoffState.WORKING, **touched),
        _handoff(HandoffClosed, 90, handoff="a", seq=4, state=HandoffState.LOST, result="lost"),
        _handoff(HandoffOpened, 99, handoff="b", seq=1, state=HandoffState.QUALIFIED, policy="qualified"),
    ]


def _tables(events: list[Event[Any]]) -> dict[str, list[list[object]]]:
    figures = count(events)
    told = document(figures, deliveries=1, repeats_dropped=0, ledger_gap=0, parked=0, outbox_waiting=0)
    told = {**told, "overtaken_commands": 0}
    found = tables(figures, told, names={_ANNA: "Anna Vogel"})
    return {title: [list(row) for row in rows] for title, _, rows in found}


def test_a_person_handed_off_twice_is_one_person_of_the_funnel() -> None:
    funnel = {row[0]: row[1] for row in _tables(_life())["Funnel"]}
    assert funnel == {
        "known by name": 1,
        "handed off to Sales": 1,
        "taken by a rep": 1,
        "touched": 1,
        "opportunity": 0,
        "won": 0,
    }


def test_promises_are_told_by_kind_of_lead_and_by_rep_with_a_dash_where_none_ended() -> None:
    told = _tables(_life())
    assert told["What Sales promised: kept and missed (of promises that ended)"] == [
        ["by score", 1, 0, "-", "-", "1.0 h", "1.0 h"]
    ]
    assert told["The same by rep"] == [["Anna Vogel", 1, 1, 0, "-", "-", "1.0 h", 0, 0]]


def test_a_quarter_in_which_nothing_happened_is_told_too() -> None:
    told = _tables([])
    assert told["Funnel"][0][:2] == ["known by name", 0]
    assert told["What the loop learned"][-1] == ["promoted by two approvals", 0, "no fit passed its gate yet"]
