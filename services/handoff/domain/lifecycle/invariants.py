"""What must hold of every handoff, in one function: for the machine's tests, the explorer, replay and the ledger."""

from services.handoff.domain.lifecycle.change import CLOCKS_OF
from services.handoff.domain.lifecycle.closing import standing
from services.handoff.domain.lifecycle.states import CLOSED, OPEN, OWNED, ClockKind, Handoff, State

__all__ = ["broken"]

# What the deals of a handoff in these states say together; in the others they say nothing.
_SAID_OF_DEALS: dict[State, set[str | None]] = {
    State.WON: {"won"},
    State.LOST: {"lost"},
    State.OPPORTUNITY: {None, "open"},
}


def broken(handoff: Handoff) -> list[str]:
    """The names of the invariants that do not hold; empty when all do (DOMAIN 5.3)."""
    kinds = [clock.kind for clock in handoff.clocks]
    allowed = set(CLOCKS_OF.get(handoff.state, ())) | ({ClockKind.RESUME} if handoff.is_paused else set())
    checks = {
        "owned_state_has_one_owner": (handoff.state in OWNED) == (handoff.owner_id is not None),
        "open_state_is_watched": handoff.state not in OPEN
        or bool(handoff.clocks)
        or handoff.breached_at_token == handoff.token,
        "clock_has_the_token": all(clock.token == handoff.token for clock in handoff.clocks),
        "one_clock_of_a_kind": len(set(kinds)) == len(kinds),
        "clocks_fit_the_state": all(kind in allowed for kind in kinds),
        "clock_numbers_are_new": all(1 <= clock.number <= handoff.clocks_made for clock in handoff.clocks),
        "pause_holds_the_clocks": not handoff.is_paused
        or (kinds == [ClockKind.RESUME] and handoff.state in {State.ACCEPTED, State.WORKING}),
        "carried_only_while_paused": handoff.is_paused or not handoff.carried,
        "queued_has_a_queue": (handoff.state is State.QUEUED) == (handoff.queue is not None),
        "owner_was_assigned": handoff.owner_id is None or handoff.attempt > 0,
        "closed_has_a_result": handoff.state not in CLOSED or handoff.result is not None,
        "open_has_no_result": handoff.state not in OPEN or handoff.result is None,
        "one_value_of_a_deal": len({deal.id for deal in handoff.deals}) == len(handoff.deals),
        "stands_by_its_deals": _stands_by_deals(handoff),
        "counters_begin_at_one": handoff.token >= 1 and handoff.seq >= 1 and handoff.cycle >= 1,
    }
    return [name for name, holds in checks.items() if not holds]


def _stands_by_deals(handoff: Handoff) -> bool:
    deal = standing(handoff.deals)
    said = None if deal is None else deal.result
    return said in _SAID_OF_DEALS.get(handoff.state, {said})
