"""Business time: an integer of open seconds, built per local day from wall times and compared in UTC (DOMAIN 5.4).

A wall time that a time change skips means the end of the gap; one that happens twice means the first. Knows no file
format and no time of its own. Invariant: `between(a, add(a, d)) == d` for every instant a and every d >= 0.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

__all__ = [
    "ALWAYS",
    "DAY_MINUTES",
    "Calendar",
    "Interval",
    "NeverOpen",
    "WeekHours",
    "add",
    "between",
    "compose",
    "is_open",
    "open_seconds_of_day",
    "wall_instant",
    "week",
]

DAY_MINUTES = 24 * 60
# A calendar closed for longer than this is a mistake (a zone without hours), and a search in it would never end.
_SEARCH_DAYS_MAX = 1100
_SECOND = timedelta(seconds=1)

Interval = tuple[datetime, datetime]  # [from, to), aware UTC
WeekHours = tuple[tuple[tuple[int, int], ...], ...]  # per weekday, Monday first: (from, to) in minutes of the day


class NeverOpen(ValueError):
    """The calendar has no open second within the days searched; its owner must open it before clocks can run."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Open hours in a zone, less holidays (local days) and absences (UTC intervals, sorted, disjoint)."""

    name: str
    zone: str
    hours: WeekHours
    holidays: frozenset[date] = frozenset()
    absences: tuple[Interval, ...] = ()
    version: int = 1


def week(days: Iterable[int], start: int, end: int) -> WeekHours:
    """The same hours on the given weekdays (0 = Monday); start < end in minutes of the day, end up to 1440."""
    open_days = set(days)
    return tuple(((start, end),) if day in open_days else () for day in range(7))


ALWAYS = Calendar("always", "UTC", week(range(7), 0, DAY_MINUTES))


def add(calendar: Calendar, start: datetime, seconds: int) -> datetime:
    """The first instant at which `seconds` (>= 0) open seconds have passed since start. Raises NeverOpen."""
    left = timedelta(seconds=seconds)
    if not left or calendar is ALWAYS:  # wall time has no closed days to walk over
        return start + left
    for opens, closes in _open_from(calendar, start):
        length = closes - opens
        if length >= left:
            return opens + left
        left -= length
    raise NeverOpen(f"calendar {calendar.name} is closed for too long: give it open hours")


def between(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Whole open seconds from start to end; 0 when end is not after start."""
    total = timedelta()
    if end <= start:
        return 0
    if calendar is ALWAYS:
        return (end - start) // _SECOND
    for opens, closes in _open_from(calendar, start, until=end):
        if opens >= end:
            break
        total += min(closes, end) - opens
    return total // _SECOND


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether an instant lies in an open interval."""
    return any(opens <= at < closes for opens, closes in _open_from(calendar, at, until=at + _SECOND))


def open_seconds_of_day(calendar: Calendar, day: date) -> int:
    """Open seconds of one local day, holidays and absences taken off."""
    if day in calendar.holidays:
        return 0
    parts = _without(_day(calendar.zone, calendar.hours[day.weekday()], day), calendar.absences)
    return sum((closes - opens) // _SECOND for opens, closes in parts)


def compose(team: Calendar, *, absences: Iterable[Interval]) -> Calendar:
    """A rep's calendar: the team's, less the rep's absences."""
    return replace(team, absences=_joined([*team.absences, *absences]))


def wall_instant(zone: str, day: date, minutes: int) -> datetime:
    """The instant (UTC) of a wall time, given in minutes (0 to 1440) of a local day.

    Skipped by a time change: the instant the gap ends. Happens twice: the first one.
    """
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001 - a wall time
    info = ZoneInfo(zone)
    instant = local.replace(tzinfo=info, fold=0).astimezone(UTC)
    if instant.astimezone(info).replace(tzinfo=None) == local:
        return instant
    return _end_of_gap(info, local)


def _end_of_gap(info: ZoneInfo, local: datetime) -> datetime:
    """The instant at which clocks jumped over a wall time: between the two readings of it."""
    low = local.replace(tzinfo=info, fold=1).astimezone(UTC)
    high = local.replace(tzinfo=info, fold=0).astimezone(UTC)
    before = low.astimezone(info).utcoffset()
    while high - low > _SECOND:
        middle = low + timedelta(seconds=((high - low) // _SECOND) // 2)
        if middle.astimezone(info).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=20_000)
def _day(zone: str, hours: tuple[tuple[int, int], ...], day: date) -> tuple[Interval, ...]:
    found = []
    for start, end in hours:
        opens, closes = wall_instant(zone, day, start), wall_instant(zone, day, end)
        if opens < closes:
            found.append((opens, closes))
    return tuple(found)


def _open_from(calendar: Calendar, start: datetime, *, until: datetime | None = None) -> Iterator[Interval]:
    """Open intervals from start on, in order, the first one cut at start."""
    # A local day may begin up to a day before or after the UTC day, so begin one day early.
    day = start.astimezone(ZoneInfo(calendar.zone)).date() - timedelta(days=1)
    searched = 0
    reach = start  # up to here intervals were given: a day of a strange zone never overlaps the one before
    while searched < _SEARCH_DAYS_MAX:
        if day not in calendar.holidays:
            for opens, closes in _without(_day(calendar.zone, calendar.hours[day.weekday()], day), calendar.absences):
                if closes > reach:
                    searched = 0
                    yield max(opens, reach), closes
                    reach = closes
        if until is not None and wall_instant(calendar.zone, day, DAY_MINUTES) >= until:
            return
        day += timedelta(days=1)
        searched += 1


def _without(parts: tuple[Interval, ...], absences: tuple[Interval, ...]) -> Iterator[Interval]:
    for opens, closes in parts:
        start = opens
        for away, back in absences:
            if back <= start:
                continue
            if away >= closes:
                break
            if away > start:
                yield start, away
            start = max(start, back)
        if start < closes:
            yield start, closes


def _joined(intervals: list[Interval]) -> tuple[Interval, ...]:
    joined: list[Interval] = []
    for start, end in sorted(each for each in intervals if each[0] < each[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)
