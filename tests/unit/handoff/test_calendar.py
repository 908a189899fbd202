"""Open hours by the wall, measured in UTC: time changes, holidays, absences."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.handoff.domain.calendar import (
    ALWAYS,
    Calendar,
    NeverOpen,
    add,
    between,
    compose,
    is_open,
    open_seconds_of_day,
    wall_instant,
    week,
)

AMSTERDAM = Calendar("nights", "Europe/Amsterdam", week(range(7), 0, 600))
BERLIN = Calendar("office", "Europe/Berlin", week(range(5), 9 * 60, 17 * 60))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_four_hours_from_the_first_of_two_equal_wall_times_are_four_hours() -> None:
    start = _utc("2026-10-25T00:00")  # 02:00 summer time, which happens twice
    assert add(AMSTERDAM, start, 4 * 3600) == _utc("2026-10-25T04:00")
    assert add(AMSTERDAM, start, 3600) == _utc("2026-10-25T01:00")  # 02:00 for the second time


def test_the_day_that_repeats_an_hour_has_an_open_hour_more() -> None:
    assert open_seconds_of_day(AMSTERDAM, date(2026, 10, 25)) == 39_600
    assert open_seconds_of_day(AMSTERDAM, date(2026, 10, 24)) == 36_000
    assert open_seconds_of_day(AMSTERDAM, date(2026, 3, 29)) == 32_400


def test_a_skipped_wall_time_means_the_end_of_the_gap() -> None:
    assert wall_instant("Europe/Amsterdam", date(2026, 3, 29), 150) == _utc("2026-03-29T01:00")
    inside = Calendar("gap", "Europe/Amsterdam", week(range(7), 130, 170))
    assert open_seconds_of_day(inside, date(2026, 3, 29)) == 0


def test_a_repeated_wall_time_means_the_first() -> None:
    assert wall_instant("Europe/Amsterdam", date(2026, 10, 25), 150) == _utc("2026-10-25T00:30")


def test_nights_weekends_and_holidays_hold_no_time() -> None:
    friday = _utc("2026-06-12T14:30")  # 16:30 in Berlin
    assert add(BERLIN, friday, 3600) == _utc("2026-06-15T07:30")
    closed = replace(BERLIN, holidays=frozenset({date(2026, 6, 15)}))
    assert add(closed, friday, 3600) == _utc("2026-06-16T07:30")


def test_an_absence_holds_no_time_whichever_part_of_the_day_it_takes() -> None:
    away = (_utc("2026-06-11T08:00"), _utc("2026-06-11T10:00"))
    rep = compose(BERLIN, absences=[away, (_utc("2026-06-11T09:00"), _utc("2026-06-11T11:00"))])
    assert rep.absences == ((_utc("2026-06-11T08:00"), _utc("2026-06-11T11:00")),)
    assert add(rep, _utc("2026-06-11T07:00"), 2 * 3600) == _utc("2026-06-11T12:00")
    assert between(rep, _utc("2026-06-11T07:00"), _utc("2026-06-11T12:00")) == 2 * 3600
    assert not is_open(rep, _utc("2026-06-11T09:30"))
    assert is_open(rep, _utc("2026-06-11T11:00"))


def test_an_end_of_open_hours_is_given_before_the_next_opening() -> None:
    assert add(BERLIN, _utc("2026-06-11T14:00"), 3600) == _utc("2026-06-11T15:00")


def test_nothing_added_changes_nothing_and_backwards_is_no_time() -> None:
    night = _utc("2026-06-11T22:00")
    assert add(BERLIN, night, 0) == night
    assert between(BERLIN, night, _utc("2026-06-11T07:00")) == 0


def test_a_calendar_without_hours_says_so() -> None:
    with pytest.raises(NeverOpen, match="give it open hours"):
        add(Calendar("closed", "UTC", week((), 0, 1)), _utc("2026-06-11T00:00"), 1)


def test_the_calendar_that_never_closes_is_wall_time() -> None:
    assert between(ALWAYS, _utc("2026-06-11T00:00"), _utc("2026-06-14T00:00")) == 3 * 86_400
