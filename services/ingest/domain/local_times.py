"""Reads times as people write them in sheets: ISO 8601, 12.06.2026 14:30, and with slashes where the order was said.

A time without a zone is meant in the given zone; a day without a time is its first minute there. Nothing is guessed:
06/12/2026 is a time only when somebody said which part is the month.
"""

import re
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

__all__ = ["Dates", "local_moment"]

Dates = Literal["iso", "dmy", "mdy"]
"""How a date with slashes is written: not at all, day first, or month first."""
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,?\s+(.+))?", re.ASCII)
_SLASHED: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:,?\s+(.+))?", re.ASCII)
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]m)?", re.ASCII | re.IGNORECASE)
_HALF_DAY: Final = 12


def local_moment(text: str, *, zone: str = "UTC", dates: Dates = "iso") -> datetime | None:
    """The moment a text means, in UTC; None for what is no time. zone is an IANA name that exists."""
    said = text.strip()
    try:
        moment = _written(said, dates) or datetime.fromisoformat(said.replace("/", "-") if said[4:5] == "/" else said)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _written(said: str, dates: Dates) -> datetime | None:
    """A date with dots or slashes and the time behind it. Raises ValueError for one that does not exist."""
    found = _DOTTED.fullmatch(said)
    is_month_first = False
    if found is None:
        found = _SLASHED.fullmatch(said) if dates != "iso" else None
        is_month_first = dates == "mdy"
    if found is None:
        return None
    first, second, year = int(found[1]), int(found[2]), int(found[3])
    day, month = (second, first) if is_month_first else (first, second)
    hour, minute, seconds = _time(found[4])
    return datetime(year, month, day, hour, minute, seconds)  # noqa: DTZ001 - its zone is set by the caller


def _time(said: str | None) -> tuple[int, int, int]:
    if not said:
        return 0, 0, 0
    found = _TIME.fullmatch(said.strip())
    if found is None:
        raise ValueError(said)
    hour, half = int(found[1]), (found[4] or "").lower()
    if half:
        if not 1 <= hour <= _HALF_DAY:
            raise ValueError(said)
        hour = hour % _HALF_DAY + (_HALF_DAY if half == "pm" else 0)
    return hour, int(found[2]), int(found[3] or 0)
