"""How it ends, and what may come after: won, lost, reopened, withdrawn, merged, split, enrolled, superseded."""

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.lifecycle.change import Change, stale
from services.handoff.domain.lifecycle.effects import Decision, Repointed
from services.handoff.domain.lifecycle.states import (
    CLOSED,
    OPEN,
    ClockKind,
    ClockState,
    Handoff,
    Policy,
    RouteWord,
    State,
)

__all__ = ["crm_result", "enrol", "merge", "repoint", "split", "supersede", "withdraw"]

_STALES = frozenset({ClockKind.STALE})
_ENDED_BY_CRM = {"won": State.WON, "lost": State.LOST}


def crm_result(handoff: Handoff, event: inputs.CrmResult, policy: Policy) -> Decision:
    """Won, lost or open again, by object version; a correction between won and lost is one step."""
    if event.version <= handoff.crm_version:
        return stale(handoff, "older_version")
    state = _ENDED_BY_CRM.get(event.result)
    change = Change(handoff)
    change.set(crm_version=event.version)
    if handoff.state is State.OPPORTUNITY:
        if state is None:
            change.set(has_deal=True)
            change.announce("rescheduled")
            return change.done()
        _end_with(change, event, state, policy)
        return change.done()
    if handoff.state not in {State.WON, State.LOST} or handoff.is_superseded:
        return stale(handoff, "no_opportunity")
    if state is handoff.state:
        return stale(handoff, "already_so")
    if state is None:
        _reopen(change)
        return change.done()
    change.enter(state)
    change.set(reason_code=event.reason_code)
    change.close(event.result)
    return change.done()


def withdraw(handoff: Handoff, event: inputs.Withdraw, _policy: Policy) -> Decision:
    """Consent withdrawn or erased: whatever it was, nobody works it any more."""
    if handoff.state in {State.SUPPRESSED, State.MERGED}:
        return stale(handoff, "already_ended")
    change = Change(handoff)
    change.enter(State.SUPPRESSED, ended="withdrawn")
    change.set(reason_code=event.reason)
    change.close("suppressed")
    return change.done()


def merge(handoff: Handoff, event: inputs.Merge, _policy: Policy) -> Decision:
    """It ends in favour of the other open one of the same person."""
    if handoff.state not in OPEN:
        return stale(handoff, "closed")
    change = Change(handoff)
    owner = handoff.owner_id
    change.enter(State.MERGED, ended="merged")
    change.set(root_lead_id=event.root_lead_id, merged_into=event.into)
    change.effects.append(Repointed(event.root_lead_id))
    if owner is not None:
        change.notify_owner("merged", owner)
    change.close("merged")
    return change.done()


def repoint(handoff: Handoff, event: inputs.Repoint, _policy: Policy) -> Decision:
    """Another root, the same work."""
    if (handoff.root_lead_id, handoff.scope_id) == (event.root_lead_id, event.scope_id):
        return stale(handoff, "already_so")
    change = Change(handoff)
    change.set(root_lead_id=event.root_lead_id, scope_id=event.scope_id)
    change.effects.append(Repointed(event.root_lead_id))
    return change.done()


def split(handoff: Handoff, event: inputs.Split, _policy: Policy) -> Decision:
    """The merge that ended it was undone: it is qualified again, its former owner first."""
    if handoff.state is not State.MERGED or handoff.merged_into is None:
        return stale(handoff, "not_merged")
    if not event.is_scope_free or handoff.is_superseded:
        return stale(handoff, "scope_taken")
    change = Change(handoff)
    change.set(root_lead_id=event.root_lead_id, scope_id=event.scope_id, merged_into=None)
    change.enter(State.QUALIFIED)
    change.effects.append(Repointed(event.root_lead_id))
    change.announce("opened")
    return change.done()


def enrol(handoff: Handoff, _event: inputs.Enrol, _policy: Policy) -> Decision:
    """Marketing's answer: the lead is in a programme, its clock is met."""
    clock = next((each for each in handoff.clocks if each.kind is ClockKind.ENROL), None)
    if handoff.state is not State.NURTURE or clock is None:
        return stale(handoff, "nothing_to_enrol")
    change = Change(handoff)
    change.end(clock.number, ClockState.MET)
    change.announce("rescheduled")
    return change.done()


def supersede(handoff: Handoff, _event: inputs.Supersede, _policy: Policy) -> Decision:
    """A later cycle opened: what still runs for this one ends."""
    if handoff.state not in CLOSED or handoff.is_superseded:
        return stale(handoff, "not_closed")
    change = Change(handoff)
    for clock in handoff.clocks:
        change.end(clock.number, ClockState.VOID)
    change.set(is_superseded=True)
    return change.done()


def _end_with(change: Change, event: inputs.CrmResult, state: State, policy: Policy) -> None:
    change.enter(state, ended="closed", meets=_STALES)
    change.set(reason_code=event.reason_code, has_deal=True)
    change.close(event.result)
    route = policy.lost.get(event.reason_code or "")
    if state is State.LOST and route is not None and route.route is RouteWord.SUPPRESS:
        change.enter(State.SUPPRESSED, result=event.result)


def _reopen(change: Change) -> None:
    """A correction within the cycle: its last owner has it again."""
    owner = change.handoff.former_owner_id
    assert owner is not None, "won and lost come from an owned state"
    change.enter(State.OPPORTUNITY, owner=owner)
    change.set(reason_code=None)
    change.announce("disposed", disposition="reopened")
