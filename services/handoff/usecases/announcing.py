"""What leaves a decision: `handoff.*` events with their payloads, and notices for people. Pure.

Event ids rest on (handoff, seq), so a repeated decision emits the same ones; nothing personal is in either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.handoff.domain.lifecycle import ClockState, Handoff, inputs
from services.handoff.domain.lifecycle.effects import Announce, Escalate, Notify
from services.handoff.domain.notices import AUDIENCE_OF_ACTION, Notice
from services.handoff.domain.record import StoredClock, Times
from shared.contracts.envelope import Event
from shared.contracts.handoffs import (
    HANDOFF_EVENTS,
    ClockView,
    HandoffEvent,
)
from shared.ids import AssignmentId, ClockId, HandoffId, UserId, derived_id

__all__ = [
    "SOURCE",
    "Cause",
    "assignment_id",
    "clock_id",
    "event_of",
    "notice_of_escalation",
    "notice_of_notify",
    "offer_notice_id",
]

SOURCE = "/baton/handoff"
_MODELS: Mapping[str, type[HandoffEvent]] = {model.TYPE.split(".")[2]: model for model in HANDOFF_EVENTS}


@dataclass(frozen=True, slots=True)
class Cause:
    """What an input follows from: an event of the stream, a command, or a clock."""

    id: UUID
    traceparent: str | None = None


def clock_id(handoff_id: HandoffId, number: int) -> ClockId:
    """The id of a handoff's clock by its number."""
    return ClockId(derived_id("clock", handoff_id, number))


def assignment_id(handoff_id: HandoffId, attempt: int) -> AssignmentId:
    """The id of a handoff's assignment by its attempt."""
    return AssignmentId(derived_id("assignment", handoff_id, attempt))


def event_of(
    announced: Announce,
    handoff: Handoff,
    times: Times,
    *,
    event: inputs.Input,
    clocks: Sequence[StoredClock],
    escalated: Mapping[str, Any] | None,
    cause: Cause,
    now: datetime,
    activity_id: UUID | None = None,
    attached_lead_id: UUID | None = None,
) -> Event[HandoffEvent]:
    """The published event of one announcement; clocks are those that changed and those that are armed."""
    fields = _common(handoff, times, event, clocks)
    fields |= _own_fields(announced, handoff, event, now=now)
    if announced.what in {"escalated", "retracted"}:
        fields |= {"clock_id": clock_id(handoff.id, announced.clock_number or 0), **(escalated or {})}
    if announced.what == "touched":
        fields["activity_id"] = activity_id
    if announced.what == "attached":
        fields["attached_lead_id"] = attached_lead_id
    payload = _MODELS[announced.what].model_validate({**fields, "seq": announced.seq})
    happened = _happened(announced, times, event, now=now)
    return Event(
        id=derived_id("handoff event", handoff.id, announced.seq),
        payload=payload,
        source=SOURCE,
        occurred_at=happened,
        recorded_at=now,
        correlation_id=times.correlation_id or cause.id,
        causation_id=cause.id,
        traceparent=cause.traceparent,
    )


def _happened(announced: Announce, times: Times, event: inputs.Input, *, now: datetime) -> datetime:
    """When it happened in the world: an opening when the lead qualified, a touch when somebody tried."""
    if announced.what == "opened":
        return times.qualified_at
    if announced.what == "rejected" and isinstance(event, inputs.Reject):
        return event.pressed_at or now
    return announced.touched_at or now if announced.what == "touched" else now


def offer_notice_id(handoff: Handoff) -> UUID:
    """The id of the notice that told the owner of an offer: while it stands the token is the one it was made at."""
    return _notice_id(handoff, "assigned", "rep", handoff.owner_id)


def notice_of_notify(
    effect: Notify, handoff: Handoff, times: Times, *, queue_owner: str | None, due_at: datetime | None, now: datetime
) -> Notice:
    """A notice outside the ladder: a new assignment, a queue, a rep that went off, a merge."""
    return Notice(
        id=_notice_id(handoff, effect.what, effect.whom, effect.rep_id),
        what=effect.what,
        audience=effect.whom,
        handoff_id=handoff.id,
        lead_id=handoff.lead_id,
        made_at=now,
        rep_id=effect.rep_id,
        queue=handoff.queue,
        queue_owner=queue_owner,
        due_at=due_at,
        details={"tier": handoff.tier, "waiting_since": _text(times.waiting_since or times.opened_at)},
    )


def notice_of_escalation(
    effect: Escalate, before: Handoff, *, queue_owner: str | None, due_at: datetime, cause: str, now: datetime
) -> Notice:
    """What a rung tells: the rep, its manager, the executive, or who owns the queue."""
    return Notice(
        id=derived_id("notice", clock_id(before.id, effect.number), effect.level),
        what=effect.do,
        audience=AUDIENCE_OF_ACTION.get(effect.do, "manager"),
        handoff_id=before.id,
        lead_id=before.lead_id,
        made_at=now,
        rep_id=before.owner_id,
        queue=before.queue,
        queue_owner=queue_owner,
        due_at=due_at,
        level=effect.level,
        details={"clock": effect.kind, "cause": cause, "is_verified": str(effect.is_verified).lower()},
    )


def _notice_id(handoff: Handoff, what: str, whom: str, rep_id: UserId | None) -> UUID:
    return derived_id("notice", handoff.id, handoff.token, what, whom, rep_id or "")


def _common(handoff: Handoff, times: Times, event: inputs.Input, clocks: Sequence[StoredClock]) -> dict[str, Any]:
    is_owned = handoff.owner_id is not None
    return {
        "handoff_id": handoff.id,
        "lead_id": handoff.lead_id,
        "root_lead_id": handoff.root_lead_id,
        "account_id": handoff.account_id,
        "motion": handoff.motion,
        "cycle": handoff.cycle,
        "token": handoff.token,
        "state": handoff.state.value,
        "tier": handoff.tier,
        "product": handoff.product,
        "owner_id": handoff.owner_id,
        "assignment_id": assignment_id(handoff.id, handoff.attempt) if is_owned else None,
        "attempt": handoff.attempt,
        "queue": handoff.queue,
        "priority": handoff.priority,
        "clocks": [_view(each) for each in clocks],
        "agreement_id": times.agreement_id,
        "agreement_version": times.agreement_version,
        "actor": event.actor.kind.value,
        "actor_id": event.actor.id,
    }


def _own_fields(announced: Announce, handoff: Handoff, event: inputs.Input, *, now: datetime) -> dict[str, Any]:
    match announced.what:
        case "opened" | "attached":
            decision_id = event.decision_id if isinstance(event, inputs.Attach) else handoff.decision_id
            return {"decision_id": decision_id, "policy": handoff.policy, "propensity": handoff.propensity}
        case "queued":
            return {"reason": announced.reason}
        case "assigned":
            by_hand = derived_id("reassign", handoff.id, handoff.token)
            return {
                "decision_id": event.decision_id if isinstance(event, inputs.Route) else by_hand,
                "pool": handoff.pool if isinstance(event, inputs.Route) else None,
                "is_rotated": announced.is_rotated,
                "is_reassigned": announced.is_reassigned or handoff.attempt > 1,
            }
        case "rejected" | "paused" | "disposed":
            return {
                "reason_code": announced.reason_code,
                "sub_reason": announced.sub_reason,
                "until_on": announced.until_on,
                "until_at": announced.until_at or now,
                "disposition": announced.disposition,
            }
        case "touched":
            return {
                "touched_at": announced.touched_at or now,
                "is_late_evidence": announced.is_late_evidence,
            }
        case "closed":
            return {"result": announced.result}
        case _:
            return {}


def _view(stored: StoredClock) -> ClockView:
    return ClockView(
        clock_id=stored.id,
        kind=stored.clock.kind.value,
        due_at=stored.timing.due_at,
        fire_at=stored.fire_at,
        clock_state=stored.state.value,
        cause=stored.cause if stored.state is ClockState.BREACHED else None,  # a reminder's is no miss yet
        is_late_by_system=stored.timing.is_late_by_system,
    )


def _text(moment: datetime) -> str:
    return moment.isoformat()
