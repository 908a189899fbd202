"""What the owner does with it: accept, reject, touch, dispose, pause, resume (DOMAIN 5.3)."""

from collections.abc import Mapping

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.lifecycle.change import Change, invalid, stale
from services.handoff.domain.lifecycle.effects import Ask, Decision
from services.handoff.domain.lifecycle.states import (
    ENDED_BY_DEALS,
    OPEN,
    OWNED,
    ClockKind,
    ClockState,
    Handoff,
    Policy,
    ReasonRoute,
    RouteWord,
    State,
)
from services.handoff.domain.lifecycle.taking import reroute
from shared.ids import UserId

__all__ = ["accept", "dispose", "follow_reason", "pause", "reject", "resume", "touch"]

_ACCEPTS = frozenset({ClockKind.ACCEPT})
_TOUCHES = frozenset({ClockKind.ACCEPT, ClockKind.TOUCH})
_DISPOSES = frozenset({ClockKind.ACCEPT, ClockKind.TOUCH, ClockKind.DISPOSE, ClockKind.PULL_BACK})
_MAY_GET_A_DEAL = frozenset({State.ASSIGNED, State.ACCEPTED, State.WORKING})
_STATE_OF_ROUTE: dict[RouteWord, State] = {
    RouteWord.NURTURE: State.NURTURE,
    RouteWord.ENRICH: State.NURTURE,
    RouteWord.DISQUALIFY: State.DISQUALIFIED,
    RouteWord.MERGE: State.DISQUALIFIED,
    RouteWord.SUPPRESS: State.SUPPRESSED,
}


def accept(handoff: Handoff, event: inputs.Accept, _policy: Policy) -> Decision:
    """The owner takes it: the touch clock begins."""
    refused = _only_owner(handoff, event.by, frozenset({State.ASSIGNED}))
    if refused is not None:
        return refused
    change = Change(handoff)
    change.enter(State.ACCEPTED, owner=handoff.owner_id, meets=_ACCEPTS)
    change.announce("accepted")
    return change.done()


def reject(handoff: Handoff, event: inputs.Reject, policy: Policy) -> Decision:
    """Returned unworked: where it goes is the reason's route."""
    refused = _only_owner(handoff, event.by, frozenset({State.ASSIGNED}))
    if refused is not None:
        return refused
    missing = _missing(event.reason, policy.reject)
    if missing or event.reason is None:
        return invalid(handoff, missing)
    change = Change(handoff)
    change.set(reason_code=event.reason.code)
    change.announce(
        "rejected",
        reason_code=event.reason.code,
        sub_reason=event.reason.sub_reason,
        until_on=event.reason.until_on,
    )
    follow_reason(change, policy.reject[event.reason.code], ended="rejected", meets=_ACCEPTS, policy=policy)
    return change.done()


def touch(handoff: Handoff, event: inputs.Touch, _policy: Policy) -> Decision:
    """A human try: accepts an offered handoff too; while working it is progress, so the pull-back begins anew."""
    if handoff.state in OWNED and not event.is_owners_side:
        return invalid(handoff, "not_owner")
    if handoff.state in {State.ASSIGNED, State.ACCEPTED}:
        return _first_touch(handoff, event)
    is_late = handoff.state in ENDED_BY_DEALS and event.token is None  # learned after the deal's end
    if handoff.state is State.OPPORTUNITY or is_late:
        change = Change(handoff)
        _again(change, ClockKind.STALE)
        change.announce("touched", touched_at=event.touched_at)
        return change.done()
    if handoff.state is not State.WORKING:
        return stale(handoff, "not_owned") if event.token is None else invalid(handoff, f"not_in_{handoff.state}")
    change = Change(handoff)
    if not handoff.is_paused:
        _again(change, ClockKind.PULL_BACK)
    change.announce("touched", touched_at=event.touched_at)
    return change.done()


def dispose(handoff: Handoff, event: inputs.Dispose, policy: Policy) -> Decision:
    """The end of working it; a return gives it to another rep."""
    if event.by is None:
        return _dispose_by_crm(handoff, event)
    allowed = {State.WORKING, State.ACCEPTED} if event.how == "return" else {State.WORKING}
    refused = _only_owner(handoff, event.by, frozenset(allowed))
    if refused is not None:
        return refused
    reasons = {"opportunity": None, "recycle": policy.recycle, "disqualify": policy.reject, "return": None}[event.how]
    if reasons is not None:
        missing = _missing(event.reason, reasons)
        if missing or event.reason is None:
            return invalid(handoff, missing)
        if event.how == "disqualify" and _STATE_OF_ROUTE.get(reasons[event.reason.code].route) is State.NURTURE:
            return invalid(handoff, "reason_does_not_disqualify")
    change = Change(handoff)
    code = event.reason.code if event.reason is not None else None
    change.set(reason_code=code)
    change.announce("disposed", disposition=event.how, reason_code=code)
    if event.how == "opportunity":
        change.enter(State.OPPORTUNITY, owner=handoff.owner_id, meets=_DISPOSES)
    elif event.how == "return":
        reroute(change, ended="returned", meets=_DISPOSES, policy=policy)
    else:
        assert reasons is not None, "only opportunity and return need no reason"
        assert code is not None, "a reason was checked above"
        route = reasons[code] if event.how == "recycle" else _final(reasons[code])
        follow_reason(change, route, ended="closed", meets=_DISPOSES, policy=policy, result=event.how)
    return change.done()


def pause(handoff: Handoff, event: inputs.Pause, policy: Policy) -> Decision:
    """Stop the clocks for an agreed reason, once, up to the agreed length."""
    refused = _only_owner(handoff, event.by, frozenset({State.ACCEPTED, State.WORKING}))
    if refused is not None:
        return refused
    if handoff.is_paused:
        return invalid(handoff, "already_paused")
    if handoff.pauses >= policy.pauses_max:
        return invalid(handoff, "pauses_used_up")
    if event.reason_code not in policy.pause:
        return invalid(handoff, "reason_unknown")
    if not event.is_within_limit:
        return invalid(handoff, "pause_too_long")
    change = Change(handoff)
    change.pause_clocks()
    change.announce("paused", reason_code=event.reason_code, until_at=event.until_at)
    return change.done()


def resume(handoff: Handoff, event: inputs.Resume, _policy: Policy) -> Decision:
    """Go on before the pause ends."""
    refused = _only_owner(handoff, event.by, frozenset({State.ACCEPTED, State.WORKING}))
    if refused is not None:
        return refused
    if not handoff.is_paused:
        return invalid(handoff, "not_paused")
    change = Change(handoff)
    change.resume_clocks()
    change.announce("resumed")
    return change.done()


def follow_reason(
    change: Change,
    route: ReasonRoute,
    *,
    ended: str,
    meets: frozenset[ClockKind],
    policy: Policy,
    result: str | None = None,
) -> None:
    """Go where a reason leads; what it asks of others is an effect."""
    if route.route is RouteWord.REROUTE:
        reroute(change, ended=ended, meets=meets, policy=policy)
        return
    change.enter(_STATE_OF_ROUTE[route.route], ended=ended, meets=meets)
    if route.route is RouteWord.ENRICH:
        change.effects.append(Ask("enrich", change.handoff.lead_id))
    elif route.route is RouteWord.MERGE:
        change.effects.append(Ask("merge", change.handoff.lead_id))
    elif route.route is RouteWord.SUPPRESS:
        change.effects.append(Ask("suppress", change.handoff.lead_id))
    change.close(result or ended)


def _first_touch(handoff: Handoff, event: inputs.Touch) -> Decision:
    change = Change(handoff)
    met = _TOUCHES if event.is_in_time else frozenset[ClockKind]()
    if not event.is_in_time:  # the clock service has not fired it yet, but the promise was missed
        for clock in handoff.clocks:
            if clock.kind in _TOUCHES:
                change.end(clock.number, ClockState.BREACHED)
            if clock.kind is ClockKind.TOUCH:  # an earlier touch may still be learned
                change.set(missed_touches=(*handoff.missed_touches, clock.number))
    if handoff.state is State.ASSIGNED:
        change.announce("accepted")
    change.enter(State.WORKING, owner=handoff.owner_id, meets=met)
    change.announce("touched", touched_at=event.touched_at)
    return change.done()


def _again(change: Change, kind: ClockKind) -> None:
    for clock in change.handoff.clocks:
        if clock.kind is kind:
            change.end(clock.number, ClockState.MET)
            change.arm(kind)
            return


def _dispose_by_crm(handoff: Handoff, event: inputs.Dispose) -> Decision:
    """A deal in the CRM says that somebody works it, whatever was clicked here: its clocks must not take it away."""
    if event.how != "opportunity" or handoff.state not in _MAY_GET_A_DEAL:
        return stale(handoff, "no_place_for_a_deal")
    change = Change(handoff)
    change.set(has_deal=True)
    change.announce("disposed", disposition="opportunity")
    change.enter(State.OPPORTUNITY, owner=handoff.owner_id, meets=_DISPOSES)
    return change.done()


def _final(route: ReasonRoute) -> ReasonRoute:
    if route.route is RouteWord.REROUTE:
        return ReasonRoute(RouteWord.DISQUALIFY)
    return route


def _only_owner(handoff: Handoff, by: UserId, states: frozenset[State]) -> Decision | None:
    """Why this person may not do it now, or None."""
    if handoff.state not in states:
        return invalid(handoff, f"not_in_{handoff.state}" if handoff.state in OPEN else "closed")
    if handoff.owner_id != by:
        return invalid(handoff, "not_owner")
    return None


def _missing(reason: inputs.Reason | None, known: Mapping[str, ReasonRoute]) -> str:
    """What a reason lacks: a stable word, empty when nothing."""
    if reason is None:
        return "reason_missing"
    route = known.get(reason.code)
    if route is None:
        return "reason_unknown"
    given = {
        None: True,
        "sub_reason": bool(reason.sub_reason),
        "until_on": reason.until_on is not None,
        "text": reason.has_text,
    }
    return "" if given.get(route.needs, False) else f"{route.needs}_missing"
