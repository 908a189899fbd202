"""My queue: which of a rep's handoffs comes next, and what each can do now.

Order: what is late first, then the nearest deadline, then the higher score; paused ones last. An exploration lead looks
like any other: the order knows nothing of how it was drawn.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.console.domain.clocks import ClockFace, Urgency, clock_face
from services.console.domain.records import AccountRow, HandoffRow, LeadRow
from services.console.domain.words import line_sentence

__all__ = ["ACTIONS", "MINE", "Queue", "QueueItem", "Sentence", "actions_of", "queue_item", "queue_of", "sentences"]

MINE = frozenset({"assigned", "accepted", "working"})  # the states in which a handoff stands in its rep's queue

# What a person may do in each state; handoff decides again when the command arrives.
ACTIONS: dict[str, tuple[str, ...]] = {
    "assigned": ("accept", "reject", "touch"),
    "accepted": ("touch", "pause", "return"),
    "working": ("touch", "dispose", "pause", "return"),
}
_REASONS_SHOWN = 3
_BOUNDS = ("cap:", "floor:", "clamp", "model:start", "model:chance")
_FAR = 2**62  # sorts items without a clock behind all others
_URGENCY_ORDER = {Urgency.BREACHED: 0, Urgency.AT_RISK: 1, Urgency.WAITING: 1, Urgency.NONE: 2, Urgency.PAUSED: 3}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A reason as a rep reads it, with its signed points."""

    text: str
    points: int


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One handoff with what is known of its person and organisation, ready to be drawn."""

    handoff: HandoffRow
    lead: LeadRow
    account: AccountRow | None
    clock: ClockFace | None
    reasons: tuple[Sentence, ...]
    actions: tuple[str, ...]

    @property
    def urgency(self) -> Urgency:
        """How near the deadline is; `none` without a clock."""
        return self.clock.urgency if self.clock else Urgency.NONE


@dataclass(frozen=True, slots=True)
class Queue:
    """The next lead and the rest in order; both empty when nothing waits."""

    next: QueueItem | None
    items: tuple[QueueItem, ...]

    @property
    def to_accept(self) -> int:
        """How many wait for an accept."""
        return sum(1 for item in self.items if item.handoff.state == "assigned")


def queue_item(handoff: HandoffRow, lead: LeadRow, account: AccountRow | None, *, now: datetime) -> QueueItem:
    """One handoff ready to be drawn."""
    return QueueItem(handoff, lead, account, clock_face(handoff, now=now), sentences(lead), actions_of(handoff))


def actions_of(handoff: HandoffRow) -> tuple[str, ...]:
    """What can be done with a handoff now: a paused one can be resumed and nothing is paused twice."""
    actions = ACTIONS.get(handoff.state, ())
    if any(clock.kind == "resume" and clock.state not in {"met", "void"} for clock in handoff.clocks):
        return ("resume", *(action for action in actions if action != "pause"))
    return actions


def queue_of(
    items: Iterable[QueueItem], *, focus: UUID | None = None, leaving: Collection[UUID] = frozenset()
) -> Queue:
    """The queue in its order; `focus` names the handoff a person opened, which then is drawn large.

    What is `leaving` (a reject that can still be taken back) stays in the list but is never drawn large by itself.
    """
    ordered = tuple(sorted(items, key=_order))
    staying = [item for item in ordered if item.handoff.handoff_id not in leaving]
    chosen = next((item for item in staying if item.handoff.handoff_id == focus), None)
    return Queue(chosen or (staying[0] if staying else None), ordered)


def sentences(lead: LeadRow) -> tuple[Sentence, ...]:
    """The strongest reasons of a score as sentences, the largest in size first.

    A bound (the cap of a group, the end of the scale) and where a model lets every lead start explain arithmetic, not a
    person: the Lead page shows them, a rep who has ten seconds is told the next reason instead.
    """
    decided = ((str(line["line"]), int(line["points"])) for line in lead.decision.get("lines", ()))
    points = dict(decided) | {reason.line: reason.points for reason in lead.reasons}
    told = [(line, worth) for line, worth in points.items() if not line.startswith(_BOUNDS)]
    strongest = sorted(told, key=lambda pair: (-abs(pair[1]), pair[0]))[:_REASONS_SHOWN]
    return tuple(Sentence(line_sentence(line), worth) for line, worth in strongest)


def _order(item: QueueItem) -> tuple[int, int, int, str]:
    due = item.clock.due_epoch if item.clock else _FAR
    return (_URGENCY_ORDER[item.urgency], due, -(item.lead.score or 0), str(item.handoff.handoff_id))
