"""The Parked page: what all services set aside, grouped by service, consumer and error, newest group first."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = [
    "DeliveryGroup",
    "JobRow",
    "ParkedGroup",
    "ParkedItem",
    "delivery_group",
    "groups_of",
    "job_row",
    "masked",
    "parked_item",
]

_BODY_SHOWN = 4_000  # characters of a body on the page: enough to judge, small enough for a list


@dataclass(frozen=True, slots=True)
class ParkedItem:
    """One event set aside; `body` is empty for deliveries, which may name people."""

    service: str
    parked_id: str
    consumer: str
    topic: str
    partition: str
    offset: str
    key: str
    kind: str
    slug: str
    reason: str
    at: datetime | None
    body: str


@dataclass(frozen=True, slots=True)
class ParkedGroup:
    """All events that one consumer set aside for one error."""

    service: str
    consumer: str
    slug: str
    items: tuple[ParkedItem, ...]


@dataclass(frozen=True, slots=True)
class DeliveryGroup:
    """Parked deliveries of one source for one reason, whole: the list of single ones shows the newest only."""

    source_id: str
    source_name: str
    reason: str
    detail: str
    open: int
    first_at: datetime
    last_at: datetime
    origins: tuple[str, ...]
    samples: tuple[str, ...]

    @property
    def key(self) -> str:
        """A name for the group's elements on the page."""
        return f"{self.source_id}-{self.reason}"


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job over many parked deliveries."""

    job_id: str
    action: str
    reason: str
    state: str
    total: int
    done: int
    failed: int
    last_error: str
    at: datetime

    @property
    def share(self) -> int:
        """Per cent dealt with."""
        return (
            100
            if self.state == "done" or not self.total
            else min(99, round(100 * (self.done + self.failed) / self.total))
        )


def delivery_group(values: Mapping[str, Any]) -> DeliveryGroup:
    """Read one group of ingest's answer."""
    return DeliveryGroup(
        source_id=str(values["source_id"]),
        source_name=str(values.get("source_name", "")),
        reason=str(values["reason"]),
        detail=str(values.get("detail", "")),
        open=int(values["open"]),
        first_at=datetime.fromisoformat(str(values["first_at"])),
        last_at=datetime.fromisoformat(str(values["last_at"])),
        origins=tuple(map(str, values.get("origins", ()))),
        samples=tuple(map(str, values.get("samples", ()))),
    )


def job_row(values: Mapping[str, Any]) -> JobRow:
    """Read one job of ingest's answer."""
    return JobRow(
        job_id=str(values["id"]),
        action=str(values["action"]),
        reason=str(values.get("reason") or ""),
        state=str(values["state"]),
        total=int(values["total"]),
        done=int(values["done"]),
        failed=int(values["failed"]),
        last_error=str(values.get("last_error", "")),
        at=datetime.fromisoformat(str(values["created_at"])),
    )


def masked(body: str) -> str:
    """The shape of a body without what it says: who mends a mapping needs the paths, not the people.

    Names of JSON fields stay; each text is told by its length, each number by a 0; what is no JSON by its length.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return f"No JSON, {len(body):,} characters."
    return json.dumps(_mask(found), indent=2, ensure_ascii=False)[:_BODY_SHOWN]


def _mask(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _mask(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mask(inner) for inner in value]
    if isinstance(value, str):
        return f"text of {len(value)}"
    return value if value is None or isinstance(value, bool) else 0


def parked_item(service: str, values: Mapping[str, Any]) -> ParkedItem:
    """Read one entry of a service's parked list."""
    topic = str(values.get("topic", ""))
    body = "" if topic.endswith("deliveries") else str(values.get("payload", ""))
    at = values.get("parked_at")
    return ParkedItem(
        service=service,
        parked_id=str(values.get("id", "")),
        consumer=str(values.get("consumer", service)),
        topic=topic,
        partition=str(values.get("partition", "")),
        offset=str(values.get("offset", "")),
        key=str(values.get("key", "")),
        kind=str(values.get("event_type", "")),
        slug=str(values.get("reason", "error")),
        reason=str(values.get("detail", "")),
        at=datetime.fromisoformat(str(at)) if at else None,
        body=body[:_BODY_SHOWN],
    )


def groups_of(items: Iterable[ParkedItem]) -> tuple[ParkedGroup, ...]:
    """Group by service, consumer and error; the group with the most events first."""
    groups: dict[tuple[str, str, str], list[ParkedItem]] = {}
    for item in items:
        groups.setdefault((item.service, item.consumer, item.slug), []).append(item)
    made = (ParkedGroup(*key, tuple(sorted(found, key=_newest, reverse=True))) for key, found in groups.items())
    return tuple(sorted(made, key=lambda group: (-len(group.items), group.service, group.slug)))


def _newest(item: ParkedItem) -> str:
    return item.at.isoformat() if item.at else ""
