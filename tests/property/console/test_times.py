"""Case 13 on the screens, in every zone and through every change of its clocks: times and countdowns are read rightly.

A countdown falls by a second each second and never stands still or jumps; two moments of one day never read the same;
a time typed into a form is the moment that people mean.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import example, given
from hypothesis import strategies as st

from services.console.domain.clocks import clock_face
from services.console.domain.durations import epoch, instant_of, time_text
from services.console.domain.records import ClockRow, HandoffRow
from tests.support.builders.console import handoff_row, named

ZONES = sorted(name for name in available_timezones() if not name.startswith(("Etc/", "posix/", "right/")))
YEARS = (2024, 2030)
STEP = timedelta(minutes=15)


def changes_of(zone: ZoneInfo, year: int) -> list[datetime]:
    """The instants of a year at which the zone's offset changes, to the quarter of an hour."""
    found = []
    at = datetime(year, 1, 1, tzinfo=UTC)
    day = timedelta(days=1)
    while at.year == year:
        if at.astimezone(zone).utcoffset() != (at + day).astimezone(zone).utcoffset():
            moment = at
            while moment.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                moment += STEP
            found.append(moment)
        at += day
    return found


zones = st.sampled_from(ZONES).map(ZoneInfo)
years = st.integers(*YEARS)


@given(zone=zones, year=years, later=st.integers(0, 240))
@example(zone=ZoneInfo("Europe/Amsterdam"), year=2026, later=240)
@example(zone=ZoneInfo("Australia/Lord_Howe"), year=2026, later=90)
def test_a_countdown_falls_evenly_and_its_deadline_reads_as_one_moment_only(
    zone: ZoneInfo, year: int, later: int
) -> None:
    for change in changes_of(zone, year) or [datetime(year, 6, 1, tzinfo=UTC)]:
        due = change + timedelta(minutes=later)
        row = with_deadline(due)
        moments = [change - timedelta(hours=3) + STEP * number for number in range(25)]
        left = [face.due_epoch - epoch(now) for now in moments if (face := clock_face(row, now=now)) is not None]
        assert {one - two for one, two in pairwise(left)} == {int(STEP.total_seconds())}
        texts = [(local.date(), time_text(local)) for local in (moment.astimezone(zone) for moment in moments)]
        assert len(set(texts)) == len(texts)


@given(zone=zones, year=years, before=st.integers(-180, 180))
@example(zone=ZoneInfo("Europe/Amsterdam"), year=2026, before=-30)
def test_a_typed_time_is_the_moment_people_mean(zone: ZoneInfo, year: int, before: int) -> None:
    for change in changes_of(zone, year):
        now = change - timedelta(minutes=before)
        for number in range(1, 17):
            meant = now + STEP * number
            wall = meant.astimezone(zone).replace(tzinfo=None, fold=0)
            read = instant_of(wall, zone, after=now)
            assert now < read <= meant  # of a time that comes twice the one that comes next
            assert read.astimezone(zone).replace(tzinfo=None, fold=0) == wall


def test_the_repeated_hour_is_told_apart_and_the_missing_one_is_read_an_hour_later() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    texts = [time_text((first + timedelta(hours=hours)).astimezone(zone)) for hours in range(-1, 3)]
    assert texts == ["01:30", "02:30 CEST", "02:30 CET", "03:30"]
    wall = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001  # as a form has it
    assert instant_of(wall, zone, after=first - timedelta(hours=1)) == first
    assert instant_of(wall, zone, after=first) == first + timedelta(hours=1)
    missing = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001
    spring = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert instant_of(missing, zone, after=spring) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 on the wall


def with_deadline(due_at: datetime) -> HandoffRow:
    clock = ClockRow(named("clock", "accept"), "accept", due_at, due_at, "armed")
    return handoff_row(clocks=(clock,), state_at=due_at - timedelta(hours=12))
