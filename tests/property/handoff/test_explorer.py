"""The hand-off machine holds its invariants in every reachable state, and a machine with a bug does not."""

from dataclasses import replace

import pytest

from services.handoff.domain.lifecycle import Decision, Handoff, Policy, Verdict, decide, inputs
from services.handoff.domain.lifecycle.effects import ClockEnded
from tests.property.handoff.explorer import Reducer, explore

DEPTH = 7


def test_no_reachable_state_breaks_an_invariant() -> None:
    finding, states, transitions = explore(depth=DEPTH)
    assert finding is None
    assert states > 30_000, "the walk reaches less than it did: an input or a state is missing"
    assert transitions > 1_000_000


def _ignores_the_token(handoff: Handoff | None, event: inputs.Input, policy: Policy) -> Decision:
    if handoff is not None and not isinstance(event, inputs.Fire):
        return decide(handoff, replace(event, token=None), policy)
    return decide(handoff, event, policy)


def _fires_any_token(handoff: Handoff | None, event: inputs.Input, policy: Policy) -> Decision:
    if handoff is not None and isinstance(event, inputs.Fire):
        return decide(handoff, replace(event, token=handoff.token), policy)
    return decide(handoff, event, policy)


def _forgets_the_rung(handoff: Handoff | None, event: inputs.Input, policy: Policy) -> Decision:
    if handoff is not None and isinstance(event, inputs.Fire):
        clock = next((each for each in handoff.clocks if each.number == event.number), None)
        if clock is not None:
            event = replace(event, level=clock.level)
        decision = decide(handoff, event, policy)
        if decision.verdict is Verdict.OK and decision.handoff is not None:
            back = tuple(replace(each, level=0) for each in decision.handoff.clocks)
            return replace(decision, handoff=replace(decision.handoff, clocks=back))
        return decision
    return decide(handoff, event, policy)


def _leaves_old_clocks(handoff: Handoff | None, event: inputs.Input, policy: Policy) -> Decision:
    decision = decide(handoff, event, policy)
    if handoff is None or decision.handoff is None or decision.verdict is not Verdict.OK:
        return decision
    if not isinstance(event, inputs.Accept | inputs.Touch):
        return decision
    kept = tuple(effect for effect in decision.effects if not isinstance(effect, ClockEnded))
    clocks = (*handoff.clocks, *decision.handoff.clocks) if kept != decision.effects else decision.handoff.clocks
    return replace(decision, handoff=replace(decision.handoff, clocks=clocks), effects=kept)


def _keeps_the_owner(handoff: Handoff | None, event: inputs.Input, policy: Policy) -> Decision:
    decision = decide(handoff, event, policy)
    if decision.verdict is not Verdict.OK or handoff is None or decision.handoff is None:
        return decision
    if isinstance(event, inputs.Fire):
        return replace(decision, handoff=replace(decision.handoff, owner_id=handoff.owner_id))
    return decision


def _changes_when_stale(handoff: Handoff | None, event: inputs.Input, policy: Policy) -> Decision:
    decision = decide(handoff, event, policy)
    if decision.verdict is Verdict.STALE and handoff is not None:
        return replace(decision, handoff=replace(handoff, token=handoff.token + 1))
    return decision


@pytest.mark.parametrize(
    "bug",
    [
        _ignores_the_token,
        _fires_any_token,
        _forgets_the_rung,
        _leaves_old_clocks,
        _keeps_the_owner,
        _changes_when_stale,
    ],
)
def test_a_seeded_bug_is_found(bug: Reducer) -> None:
    finding, _, _ = explore(bug, depth=DEPTH)
    assert finding is not None
