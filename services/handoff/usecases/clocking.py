"""What a decision does to clocks: new ones get their instants, rungs fire with who is told, ended ones say why.

Only `deciding.apply` calls these, with the handoff locked; nothing here decides whether a clock may fire.
"""

from typing import Any

from services.handoff.domain import sla
from services.handoff.domain.calendar import ALWAYS
from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import Clock, ClockKind, ClockState, Handoff, inputs
from services.handoff.domain.lifecycle.effects import Escalate
from services.handoff.domain.record import StoredClock
from services.handoff.usecases.announcing import clock_id, notice_of_escalation
from services.handoff.usecases.work import OWNERS_CLOCKS, Held, Work
from shared.telemetry import count

__all__ = ["armed", "ended", "escalate", "retract"]


def armed(work: Work, held: Held, clock: Clock, event: inputs.Input) -> StoredClock:
    """A new clock with its instants."""
    handoff = held.handoff
    plan = held.terms.plan(handoff.tier, clock.kind)
    calendar = ALWAYS if plan.is_wall else work.calendar_for(clock.kind, handoff.owner_id)
    carried = None if clock.carries is None else held.clocks.get(clock.carries)
    if carried is not None:
        paused_at = carried.ended_at or work.now
        timing = sla.carry_on(carried.timing, paused_at=paused_at, resumed_at=work.now, calendar=calendar)
    else:
        begun = None if plan.is_wall else calendar
        # What is promised anew after a pause counts from its end.
        since = None if isinstance(event, inputs.Resume | inputs.Fire) else held.times.assigned_at
        timing = sla.begin(plan, at=work.now, calendar=begun, since=since)
    if clock.kind is ClockKind.RESUME and isinstance(event, inputs.Pause) and event.until_at is not None:
        timing = replace(timing, due_at=event.until_at)
    if clock.kind is ClockKind.TOUCH and plan.since_assignment:
        timing = _not_before_accept(held, timing)
    _, fire_at = sla.next_rung(timing, calendar, clock.level)
    return StoredClock(
        id=clock_id(handoff.id, clock.number),
        clock=clock,
        state=ClockState.ARMED,
        timing=timing,
        due_at_first=timing.due_at,
        fire_at=fire_at,
        rep_id=handoff.owner_id if clock.kind in OWNERS_CLOCKS else None,
    )


def _not_before_accept(held: Held, timing: sla.Timing) -> sla.Timing:
    """A touch clock that counts from the assignment shares what an outage gave the accept clock."""
    accepts = [each for each in held.clocks.values() if each.clock.kind is ClockKind.ACCEPT]
    if not accepts:
        return timing
    last = max(accepts, key=lambda each: each.clock.number)
    return replace(timing, due_at=max(timing.due_at, last.timing.due_at))


def ended(work: Work, held: Held, clock: Clock, state: ClockState) -> StoredClock:
    """A clock that ended; a breach is charged to somebody and counted."""
    stored = held.clocks[clock.number]
    cause = stored.cause
    if state is ClockState.BREACHED:
        cause = _cause(work, held, stored)  # now: what a reminder said may be overtaken by an outage
        count("baton_clock_breaches_total", cause=cause)
    return replace(stored, clock=clock, state=state, ended_at=work.now, cause=cause, is_held=False)


def escalate(work: Work, held: Held, before: Handoff, effect: Escalate) -> dict[str, Any]:
    """A rung that fired: its row, the notice, the next rung; what its event says of it."""
    stored = held.clocks[effect.number]
    cause = _cause(work, held, stored)
    fired = replace(stored, clock=replace(stored.clock, level=effect.level), cause=cause, is_held=False)
    if not effect.is_last:
        calendar = ALWAYS if stored.timing.calendar == sla.WALL else work.calendar_for(effect.kind, before.owner_id)
        fired = replace(fired, fire_at=sla.next_rung(stored.timing, calendar, effect.level)[1])
    work.put_clock(held, fired if stored.ended_at is None else replace(fired, state=stored.state))
    late = stored.timing.is_late_by_system
    work.to_write.escalations.append(
        {
            "clock_id": stored.id,
            "level": effect.level,
            "handoff_id": before.id,
            "rep_id": before.owner_id,
            "action": effect.do,
            "cause": cause,
            "fired_at": work.now,
            "is_last": effect.is_last,
            "is_verified": effect.is_verified,
            "is_late_by_system": late,
            "retracted_at": None,
        }
    )
    owner = work.queue_owners.get(before.queue or "")
    due_at = stored.timing.due_at
    work.to_write.notices.append(
        notice_of_escalation(effect, before, queue_owner=owner, due_at=due_at, cause=cause, now=work.now)
    )
    return {
        "level": effect.level,
        "cause": cause,
        "is_late_by_system": late,
        "is_verified": effect.is_verified,
        "is_breach": effect.is_last,
    }


def retract(work: Work, held: Held, number: int) -> dict[str, Any]:
    """A breach that late evidence took back, with its escalations; what its event says of it."""
    stored = held.clocks[number]
    work.put_clock(held, replace(stored, state=ClockState.MET, is_late_evidence=True))
    work.to_write.retracted.append(stored.id)
    return {
        "level": stored.clock.level,
        "cause": stored.cause or "rep",
        "is_late_by_system": stored.timing.is_late_by_system,
        "is_verified": True,
        "is_breach": False,
    }


def _cause(work: Work, held: Held, stored: StoredClock) -> sla.Cause:
    lead = work.leads.get(held.handoff.lead_id)
    return sla.cause_of(
        stored.clock.kind,
        is_late_by_system=stored.timing.is_late_by_system,
        is_lead_complete=lead is None or lead.facts.get("is_known", "true") == "true",
        was_rep_told=held.handoff.id not in work.untold,
    )
