"""Who takes it: opening, attaching, routing, queues, pulling, reassigning, a rep going off, revoking (DOMAIN 5.3)."""

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.lifecycle.change import Change, invalid, stale
from services.handoff.domain.lifecycle.effects import Decision, Notify
from services.handoff.domain.lifecycle.states import OPEN, REVOCABLE, ClockKind, Handoff, Policy, State
from services.handoff.domain.things import QueueName
from shared.ids import UserId

__all__ = ["attach", "no_route", "pull", "qualify", "reassign", "rep_off", "reroute", "revoke", "route"]

_ROUTED = frozenset({ClockKind.ROUTE, ClockKind.QUEUE})
_QUALIFIES_AGAIN = frozenset({State.NURTURE, State.SUPPRESSED})
_REASSIGNABLE = frozenset({State.QUALIFIED, State.QUEUED, State.ASSIGNED, State.ACCEPTED, State.WORKING})


def qualify(handoff: Handoff | None, event: inputs.Qualify, policy: Policy) -> Decision:
    """Open a cycle: `handoff` is the latest one of the scope, or None; the decision holds the new one.

    A hand-raiser asks for us, so the rest after a lost deal does not hold it back.
    """
    opening = event.opening
    if not event.has_consent:
        return invalid(handoff, "no_consent")
    if event.cycles_this_year >= policy.cycles_max_per_year:
        return invalid(handoff, "cycles_used_up")
    if handoff is not None:
        if handoff.state in OPEN:
            return stale(handoff, "already_open")
        if opening.cycle <= handoff.cycle:
            return stale(handoff, "cycle_exists")
        if not _may_qualify_again(handoff.state, is_hand_raiser=opening.is_hand_raiser):
            return invalid(handoff, f"final_{handoff.state}")
    change = Change(
        Handoff(
            id=opening.id,
            lead_id=opening.lead_id,
            root_lead_id=opening.root_lead_id,
            account_id=opening.account_id,
            scope_id=opening.scope_id,
            motion=opening.motion,
            product=opening.product,
            tier=opening.tier,
            policy=opening.policy,
            cycle=opening.cycle,
            decision_id=opening.decision_id,
            propensity=opening.propensity,
            is_hand_raiser=opening.is_hand_raiser,
            priority=opening.priority,
        )
    )
    change.enter(State.QUALIFIED)
    change.announce("opened")
    return change.done()


def attach(handoff: Handoff, event: inputs.Attach, _policy: Policy) -> Decision:
    """More evidence for the open cycle; its priority only rises."""
    if handoff.state not in OPEN:
        return stale(handoff, "closed")
    change = Change(handoff)
    change.set(evidence=handoff.evidence + 1, priority=max(handoff.priority, event.priority))
    change.announce("attached")
    return change.done()


def route(handoff: Handoff, event: inputs.Route, _policy: Policy) -> Decision:
    """To the rep that routing found; from a queue when load was freed."""
    if handoff.state not in {State.QUALIFIED, State.QUEUED}:
        return stale(handoff, "not_waiting")
    if not event.is_on:
        return invalid(handoff, "rep_off")
    if not event.has_room:
        return invalid(handoff, "rep_full")
    if event.rep_id in handoff.tried:
        return invalid(handoff, "rep_tried")
    change = Change(handoff)
    change.enter(State.ASSIGNED, owner=event.rep_id, meets=_ROUTED)
    change.set(pool=event.pool)
    change.announce("assigned", is_rotated=event.is_rotated)
    change.effects.append(Notify("rep", "assigned", event.rep_id))
    return change.done()


def no_route(handoff: Handoff, event: inputs.NoRoute, _policy: Policy) -> Decision:
    """Nobody may take it now: wait in a queue that has an owner."""
    if handoff.state is not State.QUALIFIED:
        return stale(handoff, "not_qualified")
    change = Change(handoff)
    enter_queue(change, event.queue, event.reason, meets=_ROUTED)
    change.set(pool=event.pool)
    return change.done()


def pull(handoff: Handoff, event: inputs.Pull, _policy: Policy) -> Decision:
    """A rep takes it from a queue, which accepts it."""
    if handoff.state is not State.QUEUED:
        return stale(handoff, "not_queued")
    if not event.is_on:
        return invalid(handoff, "rep_off")
    if not event.has_room:
        return invalid(handoff, "rep_full")
    change = Change(handoff)
    change.enter(State.ACCEPTED, owner=event.rep_id, meets=_ROUTED)
    change.announce("accepted")
    return change.done()


def reassign(handoff: Handoff, event: inputs.Reassign, _policy: Policy) -> Decision:
    """A manager's decision: over capacity and to a rep that had it before, but never to one that is off."""
    if handoff.state not in _REASSIGNABLE:
        return invalid(handoff, f"not_in_{handoff.state}")
    if not event.is_on:
        return invalid(handoff, "rep_off")
    if event.rep_id == handoff.owner_id:
        return invalid(handoff, "already_owner")
    change = Change(handoff)
    if handoff.owner_id is not None:
        mark_tried(change, handoff.owner_id)
    change.enter(State.ASSIGNED, owner=event.rep_id, ended="reassigned", meets=_ROUTED)
    change.announce("assigned", is_reassigned=handoff.attempt > 0)
    change.effects.append(Notify("rep", "assigned", event.rep_id))
    return change.done()


def rep_off(handoff: Handoff, event: inputs.RepOff, _policy: Policy) -> Decision:
    """Offered: rerouted at once. Taken: the rep keeps it and the manager is told."""
    if handoff.owner_id != event.rep_id:
        return stale(handoff, "not_owner")
    if handoff.state is State.ASSIGNED:
        change = Change(handoff)
        mark_tried(change, event.rep_id)
        change.enter(State.QUALIFIED, ended="rep_off")
        return change.done()
    change = Change(handoff)
    change.effects.append(Notify("manager", "rep_off", event.rep_id))
    return change.done()


def revoke(handoff: Handoff, event: inputs.Revoke, _policy: Policy) -> Decision:
    """Back to Marketing, never after acceptance."""
    if handoff.state not in OPEN:
        return stale(handoff, "closed")
    if handoff.state not in REVOCABLE:
        return invalid(handoff, "after_acceptance")
    change = Change(handoff)
    change.enter(State.NURTURE, ended="revoked")
    change.set(reason_code=event.reason)
    change.close("revoked")
    return change.done()


def reroute(change: Change, *, ended: str, meets: frozenset[ClockKind], policy: Policy) -> None:
    """For another rep: the owner is marked tried; with the attempts used up it waits in `overflow`."""
    owner = change.handoff.owner_id
    if owner is not None:
        mark_tried(change, owner)
    if change.handoff.attempt >= policy.assignments_max:
        enter_queue(change, QueueName.OVERFLOW, "attempts_used_up", ended=ended, meets=meets)
    else:
        change.enter(State.QUALIFIED, ended=ended, meets=meets)


def enter_queue(
    change: Change, queue: str, reason: str, *, ended: str = "returned", meets: frozenset[ClockKind] = frozenset()
) -> None:
    """Wait in a queue: the one way to `queued`."""
    change.enter(State.QUEUED, ended=ended, meets=meets)
    change.set(queue=queue, queue_reason=reason)
    change.announce("queued", reason=reason)
    change.effects.append(Notify("queue_owner", "queued"))


def mark_tried(change: Change, rep_id: UserId) -> None:
    """The rep is not offered it again in this cycle by routing."""
    if rep_id not in change.handoff.tried:
        change.set(tried=(*change.handoff.tried, rep_id))


def _may_qualify_again(state: State, *, is_hand_raiser: bool) -> bool:
    return state in _QUALIFIES_AGAIN or (is_hand_raiser and state in {State.LOST, State.WON})
