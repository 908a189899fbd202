"""Which use case handles which event type: the table of a service's consumer, checked against the catalog at start.

Consecutive records of a batch that map to the same use case come in one call, in log order, repeats removed. Types
that are not in the table are skipped and counted.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.contracts.catalog import event_row
from shared.contracts.envelope import Payload

__all__ = ["Handlers", "ParkError", "RawEvent", "UseCase"]

# async def use_case(tx: Tx, received: Sequence[Event[...]]) -> None; Sequence[RawEvent] for a type without a model
# (deliveries).
UseCase = Callable[[Any, Any], Awaitable[None]]


class ParkError(Exception):
    """Raised by a use case to park the event at once: another try is pointless.

    slug is the reason in metrics and lists (closed set per service); is_ours = False when the sender is to blame (an
    adapter finds it unreadable, an unlisted origin): such parks never open the breaker. source groups them (a source
    id); at most 1,000 are kept open per source, above that they are only counted.
    """

    def __init__(self, reason: str, slug: str = "refused", *, is_ours: bool = True, source: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.slug = slug
        self.is_ours = is_ours
        self.source = source


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One record of a type without a model: its id and envelope headers are read, its value is left as bytes."""

    id: UUID
    type: str
    key: str
    value: bytes
    headers: Mapping[str, bytes]


@dataclass(frozen=True)
class Handlers:
    """One consumer: its name (its group is `baton-<name>`, its rows in progress and inbox carry it) and its table.

    table maps payload models, or the type's name where there is no model, to use cases. Map all hot types of a topic
    to ONE use case, so that a batch is one call. skips: of a type that is mostly none of ours, whether a record's value
    is none; such records are skipped unread. Raises KeyError at start for a type without a row in the catalog.
    """

    consumer: str
    table: Mapping[type[Payload] | str, UseCase]
    skips: Mapping[type[Payload], Callable[[bytes], bool]] = field(default_factory=dict)
    by_type: Mapping[str, UseCase] = field(init=False)
    topics: tuple[str, ...] = field(init=False)
    _skips: Mapping[str, Callable[[bytes], bool]] = field(init=False)

    def __post_init__(self) -> None:
        by_type = {key if isinstance(key, str) else key.TYPE: usecase for key, usecase in self.table.items()}
        object.__setattr__(self, "by_type", by_type)
        object.__setattr__(self, "topics", tuple(sorted({event_row(name).topic for name in by_type})))
        object.__setattr__(self, "_skips", {kind.TYPE: is_skipped for kind, is_skipped in self.skips.items()})

    def usecase_of(self, event_type: str, value: bytes | None) -> UseCase | None:
        """Where a record goes; None when it is skipped."""
        is_skipped = self._skips.get(event_type)
        return None if is_skipped is not None and is_skipped(value or b"") else self.by_type.get(event_type)
