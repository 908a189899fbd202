"""What is kept of a handoff beside its state: when things happened, its clocks with their instants, its assignment.

Pure: `times_after` says how a decision moves the times. The machine itself knows no time.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import Clock, ClockState, Decision, Handoff, State
from services.handoff.domain.lifecycle.effects import Announce, AssignmentBegan
from services.handoff.domain.lifecycle.states import CLOSED
from services.handoff.domain.sla import Timing
from shared.ids import ClockId, UserId

__all__ = ["StoredClock", "Times", "times_after"]


@dataclass(frozen=True, slots=True)
class Times:
    """Which agreement decides, and when things happened (world time); correlation_id is the first cause."""

    agreement_id: str
    agreement_version: int
    qualified_at: datetime
    opened_at: datetime
    state_at: datetime
    waiting_since: datetime | None = None
    assigned_at: datetime | None = None
    accepted_at: datetime | None = None
    touched_at: datetime | None = None
    disposed_at: datetime | None = None
    closed_at: datetime | None = None
    paused_until: datetime | None = None
    correlation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class StoredClock:
    """A clock with its instants. rep_id is the rep whose promise it is; fire_at its next rung while armed."""

    id: ClockId
    clock: Clock
    state: ClockState
    timing: Timing
    due_at_first: datetime
    fire_at: datetime
    rep_id: UserId | None = None
    ended_at: datetime | None = None
    is_late_evidence: bool = False
    is_held: bool = False
    cause: str | None = None


def times_after(times: Times, before: State | None, decision: Decision, *, now: datetime) -> Times:
    """The times after an ok decision at `now`; the first touch stays the first."""
    handoff = decision.handoff
    assert handoff is not None, "an ok decision has a handoff"
    if before is not handoff.state:
        times = _on_entry(times, handoff, now)
    for effect in decision.effects:
        if isinstance(effect, AssignmentBegan):
            times = replace(times, assigned_at=now)
        elif isinstance(effect, Announce):
            times = _on_announced(times, effect, now)
    return times if handoff.is_paused else replace(times, paused_until=None)


def _on_entry(times: Times, handoff: Handoff, now: datetime) -> Times:
    entered = replace(times, state_at=now, closed_at=None)
    if handoff.state in {State.QUALIFIED, State.QUEUED}:
        return replace(entered, waiting_since=times.waiting_since or now)
    if handoff.state in CLOSED:
        return replace(entered, closed_at=now, waiting_since=None)
    return replace(entered, waiting_since=None)


def _on_announced(times: Times, effect: Announce, now: datetime) -> Times:
    match effect.what:
        case "accepted":
            return replace(times, accepted_at=now)
        case "touched":
            touched = effect.touched_at or now
            first = touched if times.touched_at is None else min(times.touched_at, touched)
            return replace(times, touched_at=first)
        case "disposed":
            return replace(times, disposed_at=now)
        case "paused":
            return replace(times, paused_until=effect.until_at)
        case _:
            return times
