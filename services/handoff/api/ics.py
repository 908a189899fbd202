"""Reads absences out of a calendar file (RFC 5545): every event is one, whole days in the rep's zone. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar

from shared.errors import FieldError, Refused

__all__ = ["absences_in"]

_EVENTS_MAX = 200
_DAYS_MAX = 400  # longer than any absence anybody plans; a wrong year would close a rep for ever


def absences_in(ics: str, *, zone: str) -> list[tuple[datetime, datetime]]:
    """The intervals of all events, aware UTC, in the file's order. Recurring ones count once.

    Raises Refused when it is no calendar, has no event, or an event has no end after its start.
    """
    try:
        calendar = Calendar.from_ical(ics)
    except (ValueError, IndexError) as error:
        raise _refused("is no iCalendar text") from error
    found: list[tuple[datetime, datetime]] = []
    for event in calendar.walk("VEVENT"):
        start = event.get("DTSTART")
        if start is None:
            raise _refused("an event has no DTSTART")
        begins = _instant(start.dt, zone)
        end = event.get("DTEND")
        length = event.get("DURATION")
        if end is not None:
            ends = _instant(end.dt, zone)
        elif length is not None:
            ends = begins + length.dt
        else:
            ends = begins + timedelta(days=1)
        if not begins < ends <= begins + timedelta(days=_DAYS_MAX):
            raise _refused("an event does not end after its start, or lasts longer than a year")
        found.append((begins, ends))
    if not found or len(found) > _EVENTS_MAX:
        raise _refused(f"holds no event, or more than {_EVENTS_MAX}")
    return found


def _instant(value: date | datetime, zone: str) -> datetime:
    """A date is the start of that day, a time without zone a time in the rep's zone."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(zone))
    return value.astimezone(UTC)


def _refused(why: str) -> Refused:
    return Refused("Send a calendar file with one event for each absence.", errors=[FieldError("/ics", "ics", why)])
