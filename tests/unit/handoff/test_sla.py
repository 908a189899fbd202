"""When promises are due: lengths, rungs, pauses, outages, held evidence, and who is charged."""

from datetime import UTC, datetime, timedelta

import pytest

from services.handoff.domain import sla
from services.handoff.domain.calendar import ALWAYS, Calendar, week
from services.handoff.domain.lifecycle import ClockKind
from services.handoff.domain.sla import Terms
from shared.contracts.agreement import Agreement, default_agreement
from tests.unit.handoff.machine import TERMS

OFFICE = Calendar("office", "Europe/Berlin", week(range(5), 9 * 60, 17 * 60))
MONDAY = datetime(2026, 6, 8, 8, 0, tzinfo=UTC)  # 10:00 in Berlin


def _changed(section: str, **fields: object) -> Terms:
    value = default_agreement().model_dump(mode="json", by_alias=True, exclude_none=True)
    value[section] |= fields
    return Terms("default", 2, Agreement.model_validate(value))


@pytest.mark.parametrize(
    ("facts", "tier"),
    [
        ({"is_hand_raiser": "true", "entry_channel": "field_event"}, "hand_raiser"),
        ({"entry_channel": "field_event"}, "list"),
        ({"entry_channel": "web"}, "scored"),
        ({}, "scored"),
    ],
)
def test_the_first_tier_whose_condition_holds_counts(facts: dict[str, str], tier: str) -> None:
    assert TERMS.tier_of(facts).name == tier


def test_lengths_are_open_or_wall_time_as_agreed() -> None:
    assert TERMS.plan("scored", ClockKind.ACCEPT).seconds == 4 * 3600
    assert TERMS.plan("hand_raiser", ClockKind.TOUCH).since_assignment
    listed = TERMS.plan("list", ClockKind.TOUCH)
    assert (listed.seconds, listed.is_wall) == (24 * 3600, True)
    assert TERMS.plan("scored", ClockKind.PULL_BACK).fractions == (29 / 30, 1.0)
    assert TERMS.plan("no such tier", ClockKind.ACCEPT) == TERMS.plan("scored", ClockKind.ACCEPT)


def test_relaxed_mode_gives_everybody_but_hand_raisers_two_days() -> None:
    relaxed = _changed("sla", is_relaxed=True)
    assert relaxed.plan("scored", ClockKind.ACCEPT).seconds == 48 * 3600
    assert relaxed.plan("hand_raiser", ClockKind.ACCEPT).seconds == 300


def test_a_ladder_without_a_last_rung_gets_one_and_no_notice_is_no_rung() -> None:
    terms = _changed("sla", ladders={"short": [], "long": []}, pull_back={"after_wall_days": 1, "notice_wall_hours": 0})
    assert terms.plan("scored", ClockKind.ACCEPT).actions == ("reassign",)
    assert terms.plan("scored", ClockKind.PULL_BACK).actions == ("pull_back",)


def test_rungs_are_fractions_of_open_time() -> None:
    timing = sla.begin(TERMS.plan("scored", ClockKind.ACCEPT), at=MONDAY, calendar=OFFICE)
    instants = [sla.rung_at(timing, OFFICE, level) for level in range(4)]
    assert instants == [MONDAY + timedelta(seconds=seconds) for seconds in (3600, 10800, 13248, 14400)]
    assert sla.next_rung(timing, OFFICE, 0) == (0, instants[0])
    assert sla.next_rung(timing, OFFICE, 3) == (3, timing.due_at)


def test_a_clock_from_the_assignment_skips_the_rungs_that_passed() -> None:
    accepted = MONDAY + timedelta(seconds=280)
    timing = sla.begin(TERMS.plan("hand_raiser", ClockKind.TOUCH), at=accepted, calendar=OFFICE, since=MONDAY)
    assert timing.due_at == MONDAY + timedelta(seconds=300)
    assert sla.next_rung(timing, OFFICE, 0) == (3, timing.due_at)
    late = sla.begin(
        TERMS.plan("hand_raiser", ClockKind.TOUCH), at=MONDAY + timedelta(seconds=600), calendar=OFFICE, since=MONDAY
    )
    assert late.due_at == MONDAY + timedelta(seconds=600)


@pytest.mark.parametrize("kind", [ClockKind.ACCEPT, ClockKind.TOUCH, ClockKind.DISPOSE, ClockKind.PULL_BACK])
@pytest.mark.parametrize("tier", ["hand_raiser", "scored", "list"])
@pytest.mark.parametrize("late", [0, 60, 280, 4000])
def test_the_rung_that_is_due_is_known_without_its_instant(tier: str, kind: ClockKind, late: int) -> None:
    begun = sla.begin(TERMS.plan(tier, kind), at=MONDAY + timedelta(seconds=late), calendar=OFFICE, since=MONDAY)
    paused, resumed = MONDAY + timedelta(seconds=late + 30), MONDAY + timedelta(days=1)
    carried = sla.carry_on(begun, paused_at=paused, resumed_at=resumed, calendar=OFFICE)
    for timing in (begun, carried):
        for level in range(len(timing.fractions)):
            assert sla.rung_due(timing, OFFICE, level) == sla.next_rung(timing, OFFICE, level)[0]


def test_a_pause_stores_no_countdown_but_what_was_used() -> None:
    timing = sla.begin(TERMS.plan("scored", ClockKind.TOUCH), at=MONDAY, calendar=OFFICE)
    paused, resumed = MONDAY + timedelta(hours=1), MONDAY + timedelta(days=1)
    after = sla.carry_on(timing, paused_at=paused, resumed_at=resumed, calendar=OFFICE)
    assert (after.used_seconds, after.due_at) == (3600, resumed + timedelta(hours=3))
    assert sla.next_rung(after, OFFICE, 1) == (1, resumed + timedelta(hours=2))
    overdue = sla.carry_on(timing, paused_at=MONDAY + timedelta(hours=6), resumed_at=resumed, calendar=OFFICE)
    assert overdue.due_at == resumed


def test_a_changed_calendar_counts_again_and_keeps_what_an_outage_gave() -> None:
    timing = sla.begin(TERMS.plan("scored", ClockKind.ACCEPT), at=MONDAY, calendar=OFFICE)
    shorter = Calendar("office", "Europe/Berlin", week(range(5), 9 * 60, 12 * 60), version=2)
    moved = sla.moved(timing, shorter)
    assert (moved.due_at, moved.calendar_version) == (datetime(2026, 6, 9, 9, 0, tzinfo=UTC), 2)
    late = sla.postponed(
        timing, OFFICE, outage_from=timing.due_at - timedelta(hours=1), outage_until=timing.due_at + timedelta(days=2)
    )
    assert late is not None
    assert sla.moved(late, OFFICE).due_at == late.due_at


def test_an_outage_gives_its_length_or_a_quarter_of_an_hour() -> None:
    timing = sla.begin(TERMS.plan("list", ClockKind.TOUCH), at=MONDAY, calendar=None)
    due = timing.due_at
    short = sla.postponed(
        timing, ALWAYS, outage_from=due - timedelta(minutes=2), outage_until=due + timedelta(minutes=3)
    )
    assert short is not None
    assert (short.due_at, short.is_late_by_system) == (due + timedelta(minutes=8), True)
    long = sla.postponed(timing, ALWAYS, outage_from=due - timedelta(hours=9), outage_until=due + timedelta(hours=1))
    assert long is not None
    assert long.due_at == due + timedelta(hours=1, minutes=15)
    assert sla.postponed(timing, ALWAYS, outage_from=due + timedelta(1), outage_until=due + timedelta(2)) is None


def test_a_claim_without_evidence_waits_two_hours_at_most() -> None:
    now = MONDAY + timedelta(minutes=1)
    assert sla.evidence_hold(MONDAY, watermark=None, now=now) is None
    assert sla.evidence_hold(MONDAY, watermark=MONDAY, now=now) is None
    assert sla.evidence_hold(MONDAY, watermark=MONDAY - timedelta(1), now=now) == MONDAY + timedelta(hours=2)
    assert sla.evidence_hold(MONDAY, watermark=MONDAY - timedelta(1), now=MONDAY + timedelta(hours=2)) is None


@pytest.mark.parametrize(
    ("kind", "named", "cause"),
    [
        (ClockKind.ENROL, {}, "marketing"),
        (ClockKind.ACCEPT, {"is_late_by_system": True}, "system"),
        (ClockKind.ACCEPT, {"was_rep_told": False}, "system"),
        (ClockKind.ACCEPT, {"was_rep_told": False, "is_lead_complete": False}, "system"),
        (ClockKind.TOUCH, {"was_rep_told": False}, "rep"),
        (ClockKind.ROUTE, {}, "system"),
        (ClockKind.TOUCH, {"is_lead_complete": False}, "marketing"),
        (ClockKind.DISPOSE, {"is_lead_complete": False}, "rep"),
        (ClockKind.ACCEPT, {}, "rep"),
    ],
)
def test_three_causes_are_told_apart(kind: ClockKind, named: dict[str, bool], cause: str) -> None:
    values = {"is_late_by_system": False, "is_lead_complete": True, "was_rep_told": True, **named}
    assert sla.cause_of(kind, **values) == cause


def test_a_pause_ends_within_the_agreed_open_days() -> None:
    assert sla.latest_pause_end(TERMS, OFFICE, now=MONDAY) == datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
