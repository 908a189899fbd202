"""How it ends, and what may come after: won, lost, reopened, withdrawn, merged, split, enrolled, superseded."""

from collections.abc import Iterable

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.lifecycle.change import Change, stale
from services.handoff.domain.lifecycle.effects import Decision, Repointed
from services.handoff.domain.lifecycle.states import (
    CLOSED,
    OPEN,
    ClockKind,
    ClockState,
    Deal,
    Handoff,
    Policy,
    RouteWord,
    State,
)

__all__ = ["crm_result", "enrol", "merge", "repoint", "split", "standing", "supersede", "withdraw"]

_STALES = frozenset({ClockKind.STALE})
_STATE_OF_RESULT = {"won": State.WON, "open": State.OPPORTUNITY, "lost": State.LOST}
_STANDS_BY_DEALS = frozenset(_STATE_OF_RESULT.values())


def crm_result(handoff: Handoff, event: inputs.CrmResult, policy: Policy) -> Decision:
    """A deal is open, won, lost or somebody else's now, by its own version; all deals together say where it stands."""
    before = next((deal for deal in handoff.deals if deal.id == event.deal_id), None)
    if before is not None and event.version <= before.version:
        return stale(handoff, "older_version")
    if before is None and event.result == "moved":
        return stale(handoff, "no_such_deal")
    if handoff.state not in _STANDS_BY_DEALS or handoff.is_superseded:
        return stale(handoff, "no_opportunity")
    told = Deal(event.deal_id, event.version, event.result, event.reason_code)
    others = (deal for deal in handoff.deals if deal.id != event.deal_id)
    change = Change(handoff)
    change.set(deals=tuple(sorted((*others, told), key=lambda deal: str(deal.id))))
    _stand_by_deals(change, policy)
    return change.done()


def standing(deals: Iterable[Deal]) -> Deal | None:
    """The deal that says where the handoff stands: a won one, else an open one, else a lost one; None without any."""
    by_result = {deal.result: deal for deal in deals}
    return next((by_result[word] for word in ("won", "open", "lost") if word in by_result), None)


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


def _stand_by_deals(change: Change, policy: Policy) -> None:
    """Go where the deals say. Without any left its owner must say again what becomes of it."""
    before = change.handoff.state
    deal = standing(change.handoff.deals)
    state = State.WORKING if deal is None else _STATE_OF_RESULT[deal.result]
    if state in CLOSED and deal is not None:
        if state is not before:
            change.enter(state, ended="closed", meets=_STALES)
            change.set(has_deal=True)
            change.close(deal.result)
        change.set(reason_code=deal.reason_code)
        _suppress_if_told(change, policy)
    elif state is not before:
        owner = change.handoff.owner_id or change.handoff.former_owner_id
        assert owner is not None, "won and lost come from an owned state"
        change.enter(state, owner=owner)
        change.set(reason_code=None, has_deal=deal is not None)
        change.announce("disposed", disposition="reopened")
    elif not change.handoff.has_deal:
        change.set(has_deal=True)
        change.announce("rescheduled")


def _suppress_if_told(change: Change, policy: Policy) -> None:
    """A lost deal's reason may end all contact."""
    route = policy.lost.get(change.handoff.reason_code or "")
    if change.handoff.state is State.LOST and route is not None and route.route is RouteWord.SUPPRESS:
        change.enter(State.SUPPRESSED, result=change.handoff.result)
