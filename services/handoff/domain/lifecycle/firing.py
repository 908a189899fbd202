"""What a due clock does: one rung at a time, and at the last one the consequence of its kind (DOMAIN 5.2, 5.5).

A wake-up is a hint: only an armed clock with the handoff's own token and the level named fires; all else is stale.
"""

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.lifecycle.change import Change, stale
from services.handoff.domain.lifecycle.effects import ClockRetracted, Decision, Escalate
from services.handoff.domain.lifecycle.states import Clock, ClockKind, ClockState, Handoff, Policy, State
from services.handoff.domain.lifecycle.taking import enter_queue, reroute
from services.handoff.domain.things import QueueName

__all__ = ["QUEUE_LADDER", "fire", "late_evidence", "reschedule"]

# An unserved queue climbs: its owner, the manager, the executive; then the last again each time.
QUEUE_LADDER = ("mail_queue_owner", "mail_manager", "mail_executive")
# Their end is no miss of anybody: the pause ended, the rest after a lost deal ended.
_JUST_ENDS = frozenset({ClockKind.RESUME, ClockKind.COOLOFF})
_NOTHING: frozenset[ClockKind] = frozenset()


def fire(handoff: Handoff, event: inputs.Fire, policy: Policy) -> Decision:
    """The rung after `event.level` of clock `event.number` is due; rungs passed before it was armed are left out."""
    clock = next((each for each in handoff.clocks if each.number == event.number), None)
    if clock is None or clock.token != handoff.token:
        return stale(handoff, "clock_ended")
    rungs = policy.rungs[clock.kind]
    if event.level < clock.level or event.level >= len(rungs):
        return stale(handoff, "rung_fired")
    if clock.kind in _JUST_ENDS:
        return _end_of_rest(handoff, clock)
    change = Change(handoff)
    level = event.level + 1
    is_last = level == len(rungs)
    do = QUEUE_LADDER[handoff.queue_level] if clock.kind is ClockKind.QUEUE else rungs[event.level]
    fired = change.advance(clock.number, level)
    change.effects.append(Escalate(clock.number, clock.kind, level, do, is_last, event.is_verified))
    if is_last:
        change.end(fired.number, ClockState.BREACHED)
        change.set(breached_at_token=handoff.token)
    change.announce("escalated", clock_number=clock.number, level=level, is_verified=event.is_verified)
    if is_last and do == "pull_back":
        change.enter(State.NURTURE, ended="expired")
        change.close("pulled_back")
    elif is_last:
        _consequence(change, fired, policy)
    return change.done()


def late_evidence(handoff: Handoff, event: inputs.LateEvidence, _policy: Policy) -> Decision:
    """A touch learned after the breach was in time: the breach is taken back, ownership stays as it is."""
    if event.number not in handoff.missed_touches:
        return stale(handoff, "nothing_to_retract")
    change = Change(handoff)
    change.set(missed_touches=tuple(number for number in handoff.missed_touches if number != event.number))
    change.effects.append(ClockRetracted(event.number))
    change.announce("retracted", clock_number=event.number, level=0)
    change.announce("touched", touched_at=event.touched_at, is_late_evidence=True)
    return change.done()


def reschedule(handoff: Handoff, _event: inputs.Reschedule, _policy: Policy) -> Decision:
    """Clocks have other instants now; the machine only says so."""
    if not handoff.clocks:
        return stale(handoff, "no_clock")
    change = Change(handoff)
    change.announce("rescheduled")
    return change.done()


def _end_of_rest(handoff: Handoff, clock: Clock) -> Decision:
    change = Change(handoff)
    if clock.kind is ClockKind.RESUME:
        change.resume_clocks()
        change.announce("resumed")
    else:
        change.enter(State.NURTURE, meets=frozenset({ClockKind.COOLOFF}), result=handoff.result)
        change.announce("rescheduled")
    return change.done()


def _consequence(change: Change, clock: Clock, policy: Policy) -> None:
    """What the miss of a promise leads to; where nothing is said, the owner stays and was reminded."""
    match clock.kind:
        case ClockKind.ROUTE:
            enter_queue(change, QueueName.UNROUTED, "not_routed_in_time")
        case ClockKind.QUEUE:
            change.set(queue_level=min(change.handoff.queue_level + 1, len(QUEUE_LADDER) - 1))
            change.arm(ClockKind.QUEUE)
        case ClockKind.ACCEPT:
            reroute(change, ended="expired", meets=_NOTHING, policy=policy)
        case ClockKind.TOUCH:
            change.set(missed_touches=(*change.handoff.missed_touches, clock.number))
            reroute(change, ended="expired", meets=_NOTHING, policy=policy)
        case _:
            pass
