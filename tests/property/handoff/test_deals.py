"""Deals of one handoff come in any order, late and again: it ends where all of them together say."""

from typing import Literal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.handoff.domain.lifecycle import Handoff, State, Verdict, broken, decide, inputs
from tests.unit.handoff.machine import POLICY, in_state

DEALS = (UUID(int=31), UUID(int=32), UUID(int=33))
Result = Literal["open", "won", "lost"]
RESULTS: tuple[Result, ...] = ("open", "won", "lost")
REASONS = (None, "price", "no_decision")


@st.composite
def _told(draw: st.DrawFn) -> list[inputs.CrmResult]:
    """What is told of up to three deals: one result for each version of each."""
    told = []
    for deal_id in DEALS[: draw(st.integers(1, len(DEALS)))]:
        for version in range(1, 1 + draw(st.integers(1, 4))):
            result = draw(st.sampled_from(RESULTS))
            reason = draw(st.sampled_from(REASONS)) if result == "lost" else None
            told.append(inputs.CrmResult(result=result, version=version, deal_id=deal_id, reason_code=reason))
    return told


def _after(events: list[inputs.CrmResult]) -> Handoff:
    handoff = in_state("opportunity")
    for event in events:
        decision = decide(handoff, event, POLICY)
        assert decision.verdict in {Verdict.OK, Verdict.STALE}
        assert decision.handoff is not None
        handoff = decision.handoff
        assert broken(handoff) == []
    return handoff


@given(told=_told(), data=st.data())
def test_the_order_in_which_deals_are_told_does_not_matter(told: list[inputs.CrmResult], data: st.DataObject) -> None:
    repeated = told + data.draw(st.lists(st.sampled_from(told), max_size=6))
    one, other = _after(told), _after(data.draw(st.permutations(repeated)))
    assert (one.state, one.deals, one.reason_code) == (other.state, other.deals, other.reason_code)
    newest = {event.deal_id: event.result for event in sorted(told, key=lambda event: event.version)}
    said = next(word for word in ("won", "open", "lost") if word in newest.values())
    assert one.state is {"won": State.WON, "open": State.OPPORTUNITY, "lost": State.LOST}[said]
