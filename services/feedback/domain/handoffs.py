"""What feedback keeps of one handoff: its steps, folded from handoff events in any order, and what they say.

The fold is a union by seq, so repeats, late and parked events end in the same record. Everything shown (accepted
when, rejected why, touched when, which clock was kept) is read from the steps; nothing is counted twice. Pure;
knows no store.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts import handoffs as events
from shared.contracts.envelope import Event

Cause = Literal["", "marketing", "system", "rep"]
ENDED = frozenset({"nurture", "won", "lost", "disqualified", "suppressed", "merged"})


@dataclass(frozen=True, slots=True)
class ClockStep:
    """State of one clock as an event of its handoff told it."""

    clock_id: UUID
    kind: str
    due_at: datetime
    state: str
    cause: Cause = ""
    is_late_by_system: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a handoff, without what feedback never asks for."""

    seq: int
    kind: str
    at: datetime
    recorded_at: datetime
    state: str
    tier: str
    attempt: int = 0
    owner_id: UUID | None = None
    policy: str = ""
    reason_code: str = ""
    disposition: str = ""
    result: str = ""
    decision_id: UUID | None = None
    propensity: float = 1.0
    clock_id: UUID | None = None
    cause: Cause = ""
    is_late_by_system: bool = False
    clocks: tuple[ClockStep, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockFact:
    """How one promise on one handoff stands: the last state told, and whom a miss is charged to."""

    clock_id: UUID
    kind: str
    due_at: datetime
    state: str
    cause: Cause
    is_late_by_system: bool

    @property
    def is_charged_to_rep(self) -> bool:
        """A miss that counts against Sales: not one an outage or incomplete data caused."""
        return not self.is_late_by_system and self.cause in {"", "rep"}


@dataclass(frozen=True, slots=True)
class HandoffRecord:
    """One handoff with its steps in order of seq, each seq once."""

    handoff_id: UUID
    lead_id: UUID
    steps: tuple[Step, ...]

    @property
    def opened_at(self) -> datetime:
        """When the cycle began; the first step known, while the opening itself is still parked."""
        return self.steps[0].at

    @property
    def opening(self) -> Step | None:
        """The step that opened it."""
        return self._first("opened")

    @property
    def assigned_at(self) -> datetime | None:
        """When a first rep got it."""
        return _at(self._first("assigned"))

    @property
    def accepted_at(self) -> datetime | None:
        """When a rep took it: by accepting, or by a first touch, which accepts too."""
        return _at(self._first("accepted", "touched"))

    @property
    def touched_at(self) -> datetime | None:
        """When Sales first tried to reach the lead: the earliest try, however late we learned of it."""
        return min((step.at for step in self.steps if step.kind == "touched"), default=None)

    @property
    def rejections(self) -> tuple[Step, ...]:
        """Every time a rep returned it unworked."""
        return tuple(step for step in self.steps if step.kind == "rejected")

    @property
    def disposed(self) -> Step | None:
        """The last disposition that ended work on it; a return for another rep ends none."""
        ends = [step for step in self.steps if step.kind == "disposed" and step.disposition != "return"]
        return ends[-1] if ends else None

    @property
    def last(self) -> Step:
        """The newest step: the state the handoff stands in."""
        return self.steps[-1]

    @property
    def is_ended(self) -> bool:
        """Whether the cycle is over."""
        return self.last.state in ENDED

    def clocks(self) -> tuple[ClockFact, ...]:
        """Every clock once, by its newest state, in order of first appearance.

        Whose miss it was stands in the clock; an event that says nothing of it is explained by the last escalation.
        """
        newest: dict[UUID, ClockStep] = {}
        told: dict[UUID, Step] = {}
        for step in self.steps:
            newest.update({clock.clock_id: clock for clock in step.clocks})
            if step.clock_id is not None and step.kind == "escalated":
                told[step.clock_id] = step
        return tuple(_fact(clock, told.get(clock.clock_id)) for clock in newest.values())

    def _first(self, *kinds: str) -> Step | None:
        return next((step for step in self.steps if step.kind in kinds), None)


def step_of(event: Event[events.HandoffEvent]) -> Step:
    """The step one handoff event is."""
    told = event.payload
    return Step(
        seq=told.seq,
        kind=told.TYPE.split(".")[2],
        at=told.touched_at if isinstance(told, events.HandoffTouched) else event.occurred_at,
        recorded_at=event.recorded_at,
        state=told.state.value,
        tier=told.tier,
        attempt=told.attempt,
        owner_id=told.owner_id,
        policy=getattr(told, "policy", ""),
        reason_code=getattr(told, "reason_code", None) or "",
        disposition=getattr(told, "disposition", ""),
        result=getattr(told, "result", ""),
        decision_id=getattr(told, "decision_id", None),
        propensity=getattr(told, "propensity", 1.0),
        clock_id=getattr(told, "clock_id", None),
        cause=_cause(getattr(told, "cause", "")),
        is_late_by_system=getattr(told, "is_late_by_system", False),
        clocks=tuple(
            ClockStep(
                clock_id=clock.clock_id,
                kind=clock.kind,
                due_at=clock.due_at,
                state=clock.clock_state,
                cause=_cause(clock.cause or ""),
                is_late_by_system=clock.is_late_by_system,
            )
            for clock in told.clocks
        ),
    )


def fold(handoff_id: UUID, lead_id: UUID, steps: Iterable[Step]) -> HandoffRecord:
    """The record of these steps, in any order and with repeats; at least one."""
    by_seq = {step.seq: step for step in steps}
    return HandoffRecord(handoff_id=handoff_id, lead_id=lead_id, steps=tuple(by_seq[seq] for seq in sorted(by_seq)))


def _fact(clock: ClockStep, told: Step | None) -> ClockFact:
    says: ClockStep | Step = clock if clock.cause or told is None else told
    return ClockFact(
        clock_id=clock.clock_id,
        kind=clock.kind,
        due_at=clock.due_at,
        state=clock.state,
        cause=says.cause,
        is_late_by_system=says.is_late_by_system,
    )


def _at(step: Step | None) -> datetime | None:
    return None if step is None else step.at


def _cause(text: str) -> Cause:
    match text:
        case "marketing":
            return "marketing"
        case "system":
            return "system"
        case "rep":
            return "rep"
        case _:
            return ""
