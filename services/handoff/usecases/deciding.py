"""Puts inputs through the hand-off machine: audits each with its verdict, carries out the effects of those that hold.

New clocks get their instants here, assignments their rows, people their notices, the world its events.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import ClockState, Decision, Handoff, Verdict, decide, inputs
from services.handoff.domain.lifecycle.effects import (
    Announce,
    Ask,
    AssignmentBegan,
    AssignmentEnded,
    ClockArmed,
    ClockEnded,
    ClockRetracted,
    Escalate,
    Notify,
    Repointed,
    StopAll,
)
from services.handoff.domain.notices import Notice
from services.handoff.domain.record import Times, times_after
from services.handoff.store.codec import effect_value, input_value
from services.handoff.usecases.announcing import (
    Cause,
    assignment_id,
    event_of,
    notice_of_notify,
)
from services.handoff.usecases.clocking import armed, ended, escalate, retract
from services.handoff.usecases.work import Held, Work
from shared.ids import HandoffId, derived_id

__all__ = ["Cause", "apply", "open_cycle"]

# A rung knows that it is due, a touch says by itself whether it came in time.
_TELLS_ITSELF = (inputs.Fire, inputs.Touch, inputs.LateEvidence, inputs.Reschedule)


def open_cycle(work: Work, latest: Handoff | None, event: inputs.Qualify, times: Times, *, cause: Cause) -> Decision:
    """Open a cycle after `latest` of its scope, under the agreement in force."""
    decision = decide(latest, event, work.terms.policy(event.opening.tier))
    handoff = decision.handoff
    if decision.verdict is Verdict.OK and handoff is not None:
        held = work.held[handoff.id] = Held(handoff, times, {}, work.terms, is_changed=True, cause=cause)
        _audit(work, held, event, None, decision)
        _carry_out(work, held, None, event, decision, cause)
    elif latest is not None and latest.id in work.held:
        _audit(work, work.held[latest.id], event, latest, decision)
    return decision


def apply(
    work: Work,
    handoff_id: HandoffId,
    event: inputs.Input,
    *,
    cause: Cause,
    at: datetime | None = None,
    activity_id: UUID | None = None,
    attached_lead_id: UUID | None = None,
) -> Decision:
    """Put one input through the machine; a verdict other than ok leaves only its line in the audit.

    at: when it was done, where that was not now.
    """
    held = work.held[handoff_id]
    before = held.handoff
    if not isinstance(event, _TELLS_ITSELF):
        done_at = at or work.now
        due = {clock.number: held.clocks[clock.number].timing.due_at for clock in before.clocks}
        if missed := tuple(number for number, due_at in due.items() if due_at < done_at):
            event = replace(event, missed=missed)
    decision = decide(before, event, held.terms.policy(before.tier))
    _audit(work, held, event, before, decision)
    if decision.verdict is Verdict.OK and decision.handoff is not None:
        held.handoff = decision.handoff
        held.is_changed = True
        held.cause = cause
        more = {"activity_id": activity_id, "attached_lead_id": attached_lead_id}
        _carry_out(work, held, before, event, decision, cause, **more)
    return decision


def _audit(work: Work, held: Held, event: inputs.Input, before: Handoff | None, decision: Decision) -> None:
    after = decision.handoff if decision.handoff is not None else held.handoff
    work.to_write.audit.append(
        {
            "handoff_id": held.handoff.id,
            "kind": type(event).__name__,
            "input": input_value(event),
            "actor": event.actor.kind,
            "actor_id": event.actor.id,
            "token_seen": event.token,
            "verdict": decision.verdict,
            "why": decision.why,
            "state_before": None if before is None else before.state,
            "state_after": after.state,
            "token_after": after.token,
            "seq_after": after.seq,
            "effects": [effect_value(effect) for effect in decision.effects],
            "agreement_id": held.times.agreement_id,
            "agreement_version": held.times.agreement_version,
            "at": work.now,
        }
    )


def _carry_out(
    work: Work,
    held: Held,
    before: Handoff | None,
    event: inputs.Input,
    decision: Decision,
    cause: Cause,
    **more: Any,  # noqa: ANN401 - ids that only some events carry
) -> None:
    handoff = held.handoff
    held.times = times_after(held.times, None if before is None else before.state, decision, now=work.now)
    work.note_load(before, handoff)
    escalated: dict[str, Any] = {}
    touched: set[int] = set()
    for effect in decision.effects:
        match effect:
            case ClockArmed(clock=clock):
                work.put_clock(held, armed(work, held, clock, event))
                touched.add(clock.number)
            case ClockEnded(clock=clock, state=state):
                work.put_clock(held, ended(work, held, clock, state))
                touched.add(clock.number)
            case ClockRetracted(number=number):
                escalated = retract(work, held, number)
                touched.add(number)
            case Escalate():
                escalated = escalate(work, held, before or handoff, effect)
                touched.add(effect.number)
            case AssignmentBegan(attempt=attempt):
                _begin_assignment(work, held, attempt, event)
            case AssignmentEnded():
                _end_assignment(work, held, effect, is_charged=not _is_ours(held, touched))
            case Notify():
                due_at = min((held.clocks[each.number].timing.due_at for each in handoff.clocks), default=None)
                owner = work.queue_owners.get(handoff.queue or "")
                notice = notice_of_notify(effect, handoff, held.times, queue_owner=owner, due_at=due_at, now=work.now)
                work.to_write.notices.append(notice)
            case Ask(what=what):
                work.to_write.notices.append(_ask(work, handoff, what))
            case StopAll():
                work.to_write.stopped.append(handoff.id)
            case Announce() | Repointed():
                pass  # announced below, when everything has its final state
    shown = touched | {clock.number for clock in handoff.clocks}
    for announced in (effect for effect in decision.effects if isinstance(effect, Announce)):
        if announced.what == "accepted" and handoff.owner_id is not None:
            work.to_write.accepted.append(assignment_id(handoff.id, handoff.attempt))
            work.to_write.answered.add(handoff.owner_id)
        work.to_write.events.append(
            event_of(
                announced,
                handoff,
                held.times,
                event=event,
                clocks=[held.clocks[number] for number in sorted(shown) if number in held.clocks],
                escalated=escalated,
                cause=cause,
                now=work.now,
                **more,
            )
        )


def _begin_assignment(work: Work, held: Held, attempt: int, event: inputs.Input) -> None:
    handoff = held.handoff
    row_id = assignment_id(handoff.id, attempt)
    assert handoff.owner_id is not None, "an assignment begins with an owner"
    if attempt == 1:  # of a later owner counts only what happens from now on
        work.widened.add(handoff.id)
    work.to_write.assignments[row_id] = {
        "id": row_id,
        "handoff_id": handoff.id,
        "attempt": attempt,
        "rep_id": handoff.owner_id,
        "pool": handoff.pool if isinstance(event, inputs.Route) else None,
        "is_over_capacity": isinstance(event, inputs.Reassign),
        "started_at": work.now,
        "accepted_at": None,
        "ended_at": None,
        "ended_how": None,
    }


def _is_ours(held: Held, numbers: Collection[int]) -> bool:
    """Whether one of these clocks was missed by the system: that is not counted against a person (DOMAIN 5.4)."""
    stored = [held.clocks[number] for number in numbers if number in held.clocks]
    return any(each.state is ClockState.BREACHED and each.cause == "system" for each in stored)


def _end_assignment(work: Work, held: Held, effect: AssignmentEnded, *, is_charged: bool) -> None:
    row_id = assignment_id(held.handoff.id, effect.attempt)
    made_here = work.to_write.assignments.get(row_id)
    if made_here is not None:
        made_here |= {"ended_at": work.now, "ended_how": effect.how}
    else:
        work.to_write.ended.append((row_id, effect.how))
    if effect.how == "expired" and is_charged:
        work.to_write.expired.append(effect.rep_id)
    elif effect.how in {"rejected", "returned"}:
        work.to_write.answered.add(effect.rep_id)


def _ask(work: Work, handoff: Handoff, what: str) -> Notice:
    audience = "ingest" if what == "suppress" else "marketing"
    return Notice(
        id=derived_id("notice", handoff.id, handoff.token, what),
        what=what,
        audience="ingest" if audience == "ingest" else "marketing",
        handoff_id=handoff.id,
        lead_id=handoff.lead_id,
        made_at=work.now,
        details={"reason_code": handoff.reason_code or ""},
    )
