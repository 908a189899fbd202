"""The Parked page: what all services set aside, grouped by service, consumer and error, newest group first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["ParkedGroup", "ParkedItem", "groups_of", "parked_item"]

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
