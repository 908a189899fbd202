"""Which clock of a handoff people look at, and how near its deadline is.

A clock is at risk in the last quarter of its time and breached after its deadline; a paused one stands still and says
until when. Handoff decides what a clock does; this only shows it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.console.domain.durations import epoch
from services.console.domain.records import ClockRow, HandoffRow
from services.console.domain.words import label

__all__ = ["AT_RISK_SHARE", "ClockFace", "Urgency", "clock_face", "urgency_of"]

AT_RISK_SHARE = 0.25  # the last quarter: early enough for a manager to act, late enough not to cry wolf

# The clock of the act that a state waits for; of several armed ones it is shown first.
_CLOCK_OF_STATE = {
    "qualified": "route",
    "queued": "queue",
    "assigned": "accept",
    "accepted": "touch",
    "working": "dispose",
    "opportunity": "stale",
    "nurture": "enrol",
}
_OVER = frozenset({"met", "void", "ended", "cancelled"})


class Urgency(StrEnum):
    """How near a deadline is; `none` when nothing is measured."""

    BREACHED = "breached"
    AT_RISK = "at_risk"
    WAITING = "waiting"
    PAUSED = "paused"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ClockFace:
    """A clock as drawn: epoch seconds for the ticker, and words. `warn_epoch` is where "at risk" begins."""

    name: str
    due_epoch: int
    warn_epoch: int
    urgency: Urgency
    why: str = ""


def clock_face(handoff: HandoffRow, *, now: datetime) -> ClockFace | None:
    """The face of the clock that counts for this handoff, or None when none is armed."""
    clock = _clock_in_front(handoff)
    if clock is None:
        return None
    started = min(clock.due_at, handoff.state_at)
    warn = clock.due_at - (clock.due_at - started) * AT_RISK_SHARE
    urgency = urgency_of(clock, warn_at=warn, now=now)
    why = ""
    if urgency is Urgency.PAUSED:
        why = label("reason", handoff.reason_code) if handoff.reason_code else "Paused"
    return ClockFace(label("clock", clock.kind), epoch(clock.due_at), epoch(warn), urgency, why)


def urgency_of(clock: ClockRow, *, warn_at: datetime, now: datetime) -> Urgency:
    """How near one clock is; the resume clock is a pause that ends by itself."""
    if clock.kind == "resume" or clock.state == "paused":
        return Urgency.PAUSED
    if clock.state == "breached" or now >= clock.due_at:
        return Urgency.BREACHED
    return Urgency.AT_RISK if now >= warn_at else Urgency.WAITING


def _clock_in_front(handoff: HandoffRow) -> ClockRow | None:
    open_clocks = [clock for clock in handoff.clocks if clock.state not in _OVER]
    if not open_clocks:
        return None
    wanted = _CLOCK_OF_STATE.get(handoff.state)
    return min(open_clocks, key=lambda clock: (clock.kind != "resume", clock.kind != wanted, clock.due_at))
