"""Topic `handoffs`: the life of every handoff. Folding its events through the reducer gives the stored row."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Part, Payload
from shared.contracts.kinds import Actor, HandoffState

__all__ = [
    "HANDOFF_EVENTS",
    "ClockView",
    "HandoffAccepted",
    "HandoffAssigned",
    "HandoffAttached",
    "HandoffClosed",
    "HandoffDisposed",
    "HandoffEscalated",
    "HandoffEvent",
    "HandoffOpened",
    "HandoffPaused",
    "HandoffQueued",
    "HandoffRejected",
    "HandoffRescheduled",
    "HandoffResumed",
    "HandoffRetracted",
    "HandoffTouched",
]


class ClockView(Part):
    """One clock of the handoff after this event."""

    clock_id: UUID = Field(description="the clock")
    kind: str = Field(description="route, queue, accept, touch, dispose, stale, enrol, cooloff or resume")
    due_at: datetime = Field(description="the deadline")
    fire_at: datetime = Field(description="the next rung of its ladder")
    clock_state: str = Field(description="armed, met, breached or void")
    cause: str | None = Field(None, description="of a breach: marketing, system or rep")
    is_late_by_system: bool = Field(False, description="an outage moved or delayed it")


class HandoffEvent(Payload):
    """What all events of a handoff carry: the whole state after it; a lower seq is ignored."""

    TYPE: ClassVar[str] = "baton.handoff.changed.v1"

    handoff_id: UUID = Field(description="the handoff")
    lead_id: UUID = Field(description="the member it was opened for; the record's key")
    root_lead_id: UUID = Field(description="root of the person's tree")
    account_id: UUID | None = Field(None, description="as stamped at opening")
    motion: str = Field(description="new_business or expansion")
    cycle: int = Field(ge=1, description="number of this qualification cycle")
    seq: int = Field(ge=1, description="number of this event of the handoff")
    token: int = Field(ge=0, description="grows at every state entry, pause and resume")
    state: HandoffState = Field(description="state after this event")
    tier: str = Field(description="hand_raiser, list or scored")
    product: str = Field(description="the product")
    owner_id: UUID | None = Field(None, description="the rep, when owned")
    assignment_id: UUID | None = Field(None, description="the current assignment")
    attempt: int = Field(0, ge=0, description="number of assignments so far")
    queue: str | None = Field(None, description="where it waits, when queued")
    priority: int = Field(0, description="higher first")
    clocks: list[ClockView] = Field(default_factory=list, description="its clocks that changed or are armed")
    agreement_id: str = Field(description="the agreement that decided")
    agreement_version: int = Field(ge=1, description="its version")
    actor: Actor = Field(description="rep, manager, marketer, system or crm")
    actor_id: UUID | None = Field(None, description="who")


class HandoffOpened(HandoffEvent):
    """A cycle began."""

    TYPE: ClassVar[str] = "baton.handoff.opened.v1"

    decision_id: UUID | None = Field(None, description="the qualification behind it")
    policy: str = Field(description="qualified, hand_raiser, explored or manual")
    propensity: float = Field(1.0, ge=0, le=1, description="chance that the policy hands this lead off")


class HandoffAttached(HandoffOpened):
    """More evidence joined the open cycle."""

    TYPE: ClassVar[str] = "baton.handoff.attached.v1"

    attached_lead_id: UUID | None = Field(None, description="the person whose qualification joined")


class HandoffQueued(HandoffEvent):
    """It waits in a named queue with an owner."""

    TYPE: ClassVar[str] = "baton.handoff.queued.v1"

    reason: str = Field(description="no_eligible_rep, overflow, manual_review or unrouted")


class HandoffAssigned(HandoffEvent):
    """One rep got it."""

    TYPE: ClassVar[str] = "baton.handoff.assigned.v1"

    decision_id: UUID = Field(description="the routing decision")
    pool: str | None = Field(None, description="the pool it came from")
    is_rotated: bool = Field(description="order inside the tier was by rotation")
    is_reassigned: bool = Field(description="it had another owner before")


class HandoffAccepted(HandoffEvent):
    """The rep took it."""

    TYPE: ClassVar[str] = "baton.handoff.accepted.v1"


class HandoffResumed(HandoffEvent):
    """A pause ended."""

    TYPE: ClassVar[str] = "baton.handoff.resumed.v1"


class HandoffRescheduled(HandoffEvent):
    """A calendar, outage or merge moved its clocks."""

    TYPE: ClassVar[str] = "baton.handoff.rescheduled.v1"


class HandoffRejected(HandoffEvent):
    """The rep returned it unworked, with a reason."""

    TYPE: ClassVar[str] = "baton.handoff.rejected.v1"

    reason_code: str = Field(description="an agreed reason")
    sub_reason: str | None = Field(None, description="its required detail")
    until_on: date | None = Field(None, description="when to come back")


class HandoffTouched(HandoffEvent):
    """Sales tried to reach the lead."""

    TYPE: ClassVar[str] = "baton.handoff.touched.v1"

    activity_id: UUID | None = Field(None, description="the activity, when it came by the door")
    touched_at: datetime = Field(description="when it happened")
    is_late_evidence: bool = Field(False, description="it turned a breach into met")


class HandoffPaused(HandoffEvent):
    """Its clock stands still for an agreed reason."""

    TYPE: ClassVar[str] = "baton.handoff.paused.v1"

    reason_code: str = Field(description="an agreed reason")
    until_at: datetime = Field(description="when it resumes by itself")


class HandoffEscalated(HandoffEvent):
    """A rung of a ladder was reached, or a clock was missed."""

    TYPE: ClassVar[str] = "baton.handoff.escalated.v1"

    clock_id: UUID = Field(description="the clock")
    level: int = Field(ge=0, description="the rung, from 0")
    cause: str = Field(description="marketing, system or rep")
    is_late_by_system: bool = Field(False, description="an outage moved or delayed it")
    is_verified: bool = Field(True, description="the evidence was complete when it was said")
    is_breach: bool = Field(False, description="the clock was missed")


class HandoffRetracted(HandoffEscalated):
    """Late evidence took an escalation back."""

    TYPE: ClassVar[str] = "baton.handoff.retracted.v1"


class HandoffDisposed(HandoffEvent):
    """The rep ended working it."""

    TYPE: ClassVar[str] = "baton.handoff.disposed.v1"

    disposition: str = Field(description="opportunity, recycle, disqualify or return")
    reason_code: str | None = Field(None, description="an agreed reason, where required")


class HandoffClosed(HandoffEvent):
    """The cycle ended, or a closed one was reopened by a correction (state says which)."""

    TYPE: ClassVar[str] = "baton.handoff.closed.v1"

    result: str = Field(description="won, lost, nurture, disqualified, suppressed, merged, revoked or reopened")


HANDOFF_EVENTS: tuple[type[HandoffEvent], ...] = (
    HandoffOpened,
    HandoffAttached,
    HandoffQueued,
    HandoffAssigned,
    HandoffAccepted,
    HandoffResumed,
    HandoffRescheduled,
    HandoffRejected,
    HandoffTouched,
    HandoffPaused,
    HandoffEscalated,
    HandoffRetracted,
    HandoffDisposed,
    HandoffClosed,
)
