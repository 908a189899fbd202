"""What the Connections page shows of a source, from ingest's answers; and what its forms say, as ingest wants it.

Pure: answers in, values for the templates out. An unknown field of an answer changes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = [
    "BadForm",
    "HourBar",
    "SourceRow",
    "bars_of",
    "lines_of",
    "moment_of",
    "settings_from",
    "source_row",
    "texts_of",
]

HOURS = 24
_BAR_HEIGHT = 40


class BadForm(ValueError):
    """A field of a form that cannot be read; the text says which and how it is written."""


@dataclass(frozen=True, slots=True)
class HourBar:
    """One hour of the chart; heights are of HOURS bars drawn 40 high."""

    hour: datetime
    deliveries: int
    events: int
    refused: int
    height: int


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source of the list."""

    source_id: str
    name: str
    sender: str
    title: str
    url: str
    last_at: datetime | None
    deliveries: int
    events: int
    refused: int
    parked: int

    @property
    def per_hour(self) -> str:
        """Deliveries an hour over the last day, as people say it."""
        share = self.deliveries / HOURS
        return f"{share:,.0f}" if share >= 10 or share == 0 else f"{share:.1f}"

    @property
    def refused_share(self) -> float:
        """The share of events that were not taken, 0 to 1."""
        return self.refused / self.events if self.events else 0.0


def source_row(one: Mapping[str, Any], titles: Mapping[str, str]) -> SourceRow:
    """Read one source of ingest's list."""
    stands = one.get("standing", {})
    return SourceRow(
        source_id=str(one["id"]),
        name=str(one["name"]),
        sender=str(one["sender"]),
        title=titles.get(str(one["sender"]), str(one["sender"])),
        url=str(one.get("url", "")),
        last_at=moment_of(stands.get("last_received_at")),
        deliveries=int(stands.get("deliveries", 0)),
        events=int(stands.get("events", 0)),
        refused=int(stands.get("refused", 0)),
        parked=int(stands.get("parked", 0)),
    )


def bars_of(hours: Sequence[Mapping[str, Any]], *, now: datetime) -> list[HourBar]:
    """The last HOURS hours, those without deliveries too, oldest first."""
    found = {moment_of(one["hour"]): one for one in hours}
    top = max((int(one["deliveries"]) for one in hours), default=0)
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    bars = []
    for back in range(HOURS - 1, -1, -1):
        hour = last - timedelta(hours=back)
        one = found.get(hour, {})
        count = int(one.get("deliveries", 0))
        height = max(1, round(_BAR_HEIGHT * count / top)) if count else 0
        bars.append(HourBar(hour, count, int(one.get("events", 0)), int(one.get("refused", 0)), height))
    return bars


def moment_of(text: object) -> datetime | None:
    """A time of an answer, or None."""
    return datetime.fromisoformat(str(text)) if text else None


def lines_of(text: str) -> list[str]:
    """The lines of a text field that say something."""
    return [line for one in text.splitlines() if (line := one.strip())]


def texts_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a source as the texts of its form."""
    return {
        "origins": "\n".join(settings.get("origins") or ()),
        "names": "\n".join(f"{name} = {kind}" for name, kind in (settings.get("names") or {}).items()),
        "pages": "\n".join(f"{one['path']} = {one['content']}" for one in settings.get("pages") or ()),
        "properties": "\n".join(settings.get("properties") or ()),
        "options": "\n".join(f"{name} = {value}" for name, value in (settings.get("options") or {}).items()),
        "mapping": json.dumps(settings["mapping"], indent=2, ensure_ascii=False) if settings.get("mapping") else "",
        "time_zone": str(settings.get("time_zone") or ""),
        "consent": str(settings.get("consent") or "unknown"),
        "rate_per_second": str(settings.get("rate_per_second") or ""),
    }


def settings_from(form: Mapping[str, str]) -> dict[str, Any]:
    """The settings a form names, as ingest's API takes them. Raises BadForm."""
    found: dict[str, Any] = {}
    for name in ("origins", "properties"):
        if name in form:
            found[name] = lines_of(form[name])
    for name in ("names", "options"):
        if name in form:
            found[name] = dict(_pairs(form[name], name))
    if "pages" in form:
        found["pages"] = [{"path": path, "content": worth} for path, worth in _pairs(form["pages"], "pages")]
    if "mapping" in form:
        found["mapping"] = _mapping(form["mapping"])
    if form.get("consent"):
        found["consent"] = form["consent"]
    if "time_zone" in form:
        found["time_zone"] = form["time_zone"] or None
    if "rate_per_second" in form:
        found["rate_per_second"] = _number(form["rate_per_second"])
    return found


def _pairs(text: str, what: str) -> list[tuple[str, str]]:
    parts = [line.rpartition("=") for line in lines_of(text)]
    wrong = next((right for left, sign, right in parts if not sign or not left.strip()), None)
    if wrong is not None:
        raise BadForm(f"{what.capitalize()}: write each line as NAME = VALUE; one reads “{wrong.strip()}”.")
    return [(left.strip(), right.strip()) for left, _, right in parts]


def _mapping(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadForm(f"Mapping: this is no JSON ({error}).") from error
    if not isinstance(found, dict):
        raise BadForm('Mapping: write one JSON object, as {"email": "$.person.mail"}.')
    return found


def _number(text: str) -> int | None:
    if not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit()):
        raise BadForm("Requests a second: write a whole number, or nothing for the default.")
    return int(text)
