"""Case 13: business time over a change of the clocks, against minutes counted one by one on the wall."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.handoff.domain import sla
from services.handoff.domain.calendar import Calendar, add, between, open_seconds_of_day, week
from services.handoff.domain.sla import Plan

NIGHTS = Calendar("nights", "Europe/Amsterdam", week(range(7), 0, 600))
MINUTE = timedelta(minutes=1)
# Zones whose clocks change between 01:00 and 04:00; the open hours begin before that and end after it.
CHANGES = [
    ("Europe/Amsterdam", date(2026, 3, 29)),
    ("Europe/Amsterdam", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
]
HOURS = [(0, 600), (30, 1439), (59, 241)]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _open_minutes(calendar: Calendar, day: date) -> list[datetime]:
    """The minutes from the day before to the day after whose wall time lies in the open hours, found by looking."""
    zone = ZoneInfo(calendar.zone)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    found = []
    for number in range(3 * 24 * 60):
        moment = start + number * MINUTE
        local = moment.astimezone(zone)
        minute = local.hour * 60 + local.minute
        if any(begin <= minute < end for begin, end in calendar.hours[local.weekday()]):
            found.append(moment)
    return found


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@pytest.mark.parametrize("hours", HOURS)
def test_open_time_over_a_change_is_what_a_clock_on_the_wall_shows(
    zone: str, day: date, hours: tuple[int, int]
) -> None:
    calendar = Calendar("drawn", zone, week(range(7), *hours))
    minutes = _open_minutes(calendar, day)
    of_day = [moment for moment in minutes if moment.astimezone(ZoneInfo(zone)).date() == day]
    assert open_seconds_of_day(calendar, day) == 60 * len(of_day)
    for index in range(0, len(minutes) - 60, 37):
        for ahead in (1, 59, 60):
            assert add(calendar, minutes[index], 60 * ahead) == minutes[index + ahead - 1] + MINUTE
            assert between(calendar, minutes[index], minutes[index + ahead]) == 60 * ahead


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_what_is_left_goes_down_by_a_second_each_open_second(zone: str, day: date) -> None:
    calendar = Calendar("drawn", zone, week(range(7), 0, 600))
    minutes = _open_minutes(calendar, day)
    due = minutes[-1] + MINUTE
    left = [between(calendar, moment, due) for moment in minutes]
    assert left == [60 * number for number in range(len(minutes), 0, -1)]


@pytest.mark.parametrize(
    ("assigned_at", "due_at"),
    [
        ("2026-10-25T00:00", "2026-10-25T04:00"),  # 02:00 for the first time
        ("2026-10-25T01:00", "2026-10-25T05:00"),  # 02:00 for the second time
        ("2026-10-24T07:00", "2026-10-25T01:00"),  # an hour of the evening before is over at ten
        ("2026-10-25T07:00", "2026-10-26T01:00"),
        ("2026-03-29T00:00", "2026-03-29T04:00"),
        ("2026-03-28T08:00", "2026-03-29T02:00"),  # the night skips an hour of the wall
        ("2026-03-29T06:00", "2026-03-30T00:00"),
    ],
)
def test_four_open_hours_from_either_side_of_a_change(assigned_at: str, due_at: str) -> None:
    assert add(NIGHTS, _at(assigned_at), 4 * 3600) == _at(due_at)


def test_rungs_over_the_repeated_hour_stand_at_their_share_of_open_time() -> None:
    plan = Plan(
        4 * 3600, False, False, (0.25, 0.75, 0.92, 1.0), ("message_rep", "mail_rep", "flag_manager", "reassign")
    )
    timing = sla.begin(plan, at=_at("2026-10-25T00:00"), calendar=NIGHTS)
    rungs = [sla.rung_at(timing, NIGHTS, level) for level in range(4)]
    assert rungs == [_at(f"2026-10-25T{wall}") for wall in ("01:00", "03:00", "03:40:48", "04:00")]
