"""How times and spans read on the screens; the page's ticker draws the same texts as `remaining_text`.

Spans are whole units, the two largest that are not zero: people plan in hours, not in seconds.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["day_text", "epoch", "instant_of", "remaining_text", "span_text", "time_text", "zone_of"]

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def span_text(seconds: float) -> str:
    """A span >= 0 as its two largest units: "3 h 10 min", "4 d 2 h", "12 s"."""
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)


def remaining_text(seconds: float) -> str:
    """What is left of a clock: "4:05" below an hour, "3 h 10 min" above; past due whole minutes, "late by 2 min"."""
    if seconds < 0:
        late = -seconds
        return f"late by {span_text(late if late < 60 else late // 60 * 60)}"
    if seconds < 3_600:
        minutes, rest = divmod(int(seconds), 60)
        return f"{minutes}:{rest:02d}"
    return span_text(seconds)


def time_text(at: datetime) -> str:
    """A local time of day, "14:05"; in the hour that comes twice, when summer time ends, "02:05 CET"."""
    return f"{at:%H:%M} {at.tzname()}" if _comes_twice(at) else f"{at:%H:%M}"


def instant_of(wall: datetime, zone: ZoneInfo, *, after: datetime) -> datetime:
    """The instant that people mean by a time without an offset: of a time that comes twice the first after now.

    A time that summer time skips is read as the clock would go on without it, an hour later.
    """
    meant = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return (
        next((one for one in sorted(meant) if one > after), max(meant))
        if _comes_twice(wall.replace(tzinfo=zone))
        else meant[0]
    )


def day_text(at: datetime) -> str:
    """A day as people write it: "Mon 23 Nov"."""
    return f"{at:%a} {at.day} {at:%b}"


def epoch(at: datetime) -> int:
    """Whole seconds since 1970: what `data-due` carries."""
    return int(at.timestamp())


def zone_of(name: str) -> ZoneInfo:
    """The zone of a name; UTC for one that does not exist."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _comes_twice(at: datetime) -> bool:
    """Whether clocks go back over this local time: both readings exist and are two instants."""
    first, second = (at.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    wall = at.replace(tzinfo=None, fold=0)
    return first != second and all(
        one.astimezone(at.tzinfo).replace(tzinfo=None, fold=0) == wall for one in (first, second)
    )
