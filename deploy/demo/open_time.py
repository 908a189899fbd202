"""When a rep is at work: ten hours of each working day of the team's zone, without holidays and own absences. Pure.

The demo's people go by this; Baton's own clocks go by the calendars it was told, which say the same.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from deploy.demo.cast import Absence, Rep, Team

__all__ = ["CLOSES", "OPENS", "at_work_after", "is_away"]

OPENS, CLOSES = time(8), time(18)
_SEARCHED_DAYS = 60


def is_away(absences: tuple[Absence, ...], day: date) -> bool:
    """Whether a day lies in one of the absences."""
    return any(absence.first <= day <= absence.last for absence in absences)


def at_work_after(moment: datetime, *, minutes: float, rep: Rep, team: Team) -> datetime:
    """The moment (UTC) at which the rep has been at work for this many minutes since `moment`."""
    left = timedelta(minutes=minutes)
    for opens, closes in _open(moment, rep, team):
        begins = max(opens, moment)
        if begins + left <= closes:
            return begins + left
        left -= max(closes - begins, timedelta(0))
    raise AssertionError("nobody is away for two months")


def _open(moment: datetime, rep: Rep, team: Team) -> Iterator[tuple[datetime, datetime]]:
    zone = ZoneInfo(team.zone)
    first = moment.astimezone(zone).date()
    for ahead in range(_SEARCHED_DAYS):
        day = first + timedelta(days=ahead)
        if day.weekday() < 5 and day not in team.holidays and not is_away(rep.absences, day):
            opens, closes = (datetime.combine(day, at, tzinfo=zone).astimezone(UTC) for at in (OPENS, CLOSES))
            if closes > moment:
                yield opens, closes
