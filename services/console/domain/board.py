"""The SLA board: all handoffs with a running promise, in the columns waiting, at risk and breached, and who holds them.

Counts are of the rows shown, so a number and the list it opens cannot differ.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.console.domain.clocks import Urgency
from services.console.domain.queue import QueueItem
from services.console.domain.records import UserRow
from services.console.domain.words import label

__all__ = ["COLUMNS", "Board", "BoardColumn", "BoardFilter", "RepLine", "board_of", "cause_of"]

COLUMNS = (Urgency.BREACHED, Urgency.AT_RISK, Urgency.WAITING, Urgency.PAUSED)
_TITLES = {
    Urgency.BREACHED: "Breached",
    Urgency.AT_RISK: "At risk",
    Urgency.WAITING: "Waiting",
    Urgency.PAUSED: "Paused",
}
_EMPTY = {
    Urgency.BREACHED: "No promise is late.",
    Urgency.AT_RISK: "Nothing is in the last quarter of its time.",
    Urgency.WAITING: "Nothing waits for an answer.",
    Urgency.PAUSED: "No clock stands still.",
}


@dataclass(frozen=True, slots=True)
class BoardFilter:
    """What the address of the page asks for; None = all."""

    tier: str | None = None
    owner_id: UUID | None = None
    state: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether anything is filtered out."""
        return self != BoardFilter()


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """One column: its rows by nearest deadline."""

    urgency: Urgency
    title: str
    empty: str
    items: tuple[QueueItem, ...]


@dataclass(frozen=True, slots=True)
class RepLine:
    """What one owner holds now; `owner_id` None are the queues."""

    owner_id: UUID | None
    name: str
    waiting: int
    at_risk: int
    breached: int
    paused: int

    @property
    def held(self) -> int:
        """All handoffs of this line."""
        return self.waiting + self.at_risk + self.breached + self.paused


@dataclass(frozen=True, slots=True)
class Board:
    """The whole board; `hidden` counts what the filter left out."""

    columns: tuple[BoardColumn, ...]
    reps: tuple[RepLine, ...]
    hidden: int

    @property
    def total(self) -> int:
        """All rows shown."""
        return sum(len(column.items) for column in self.columns)


def board_of(items: Iterable[QueueItem], *, users: Mapping[UUID, UserRow], chosen: BoardFilter) -> Board:
    """Sort handoffs into columns and count them per owner; those without a clock are not on the board."""
    measured = [item for item in items if item.urgency is not Urgency.NONE]
    shown = [item for item in measured if _passes(item, chosen)]
    columns = tuple(
        BoardColumn(
            urgency,
            _TITLES[urgency],
            _EMPTY[urgency],
            tuple(sorted((item for item in shown if item.urgency is urgency), key=_by_due)),
        )
        for urgency in COLUMNS
    )
    return Board(columns, _rep_lines(shown, users), len(measured) - len(shown))


def cause_of(item: QueueItem) -> str:
    """Why the latest rung fired, in words: marketing, system or rep; empty before any."""
    if not item.handoff.escalations:
        return ""
    latest = item.handoff.escalations[-1]
    return label("cause", "system" if latest.is_late_by_system else latest.cause)


def _passes(item: QueueItem, chosen: BoardFilter) -> bool:
    handoff = item.handoff
    return (
        (chosen.tier is None or handoff.tier == chosen.tier)
        and (chosen.owner_id is None or handoff.owner_id == chosen.owner_id)
        and (chosen.state is None or handoff.state == chosen.state)
    )


def _by_due(item: QueueItem) -> tuple[int, str]:
    return (item.clock.due_epoch if item.clock else 0, str(item.handoff.handoff_id))


def _rep_lines(items: Iterable[QueueItem], users: Mapping[UUID, UserRow]) -> tuple[RepLine, ...]:
    counts: dict[UUID | None, Counter[Urgency]] = {}
    for item in items:
        counts.setdefault(item.handoff.owner_id, Counter())[item.urgency] += 1
    lines = [
        RepLine(
            owner_id,
            _owner_name(owner_id, users),
            count[Urgency.WAITING],
            count[Urgency.AT_RISK],
            count[Urgency.BREACHED],
            count[Urgency.PAUSED],
        )
        for owner_id, count in counts.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.breached, -line.at_risk, line.name)))


def _owner_name(owner_id: UUID | None, users: Mapping[UUID, UserRow]) -> str:
    if owner_id is None:
        return "No owner yet"
    user = users.get(owner_id)
    return user.display_name if user else f"Rep {str(owner_id)[:8]}"
