"""The lifecycle stage a lead is shown in: derived from its handoff and facts, never written (DECISIONS 4)."""

from collections.abc import Mapping
from enum import StrEnum

from services.handoff.domain.lifecycle.states import Handoff, State

__all__ = ["Stage", "stage_of"]


class Stage(StrEnum):
    """Lifecycle stages of the glossary."""

    ANONYMOUS = "anonymous"
    KNOWN = "known"
    ENGAGED = "engaged"
    MARKETING_QUALIFIED = "marketing_qualified"
    SALES_ACCEPTED = "sales_accepted"
    SALES_QUALIFIED = "sales_qualified"
    OPPORTUNITY = "opportunity"
    CUSTOMER = "customer"
    NURTURE = "nurture"
    RECYCLED = "recycled"
    DISQUALIFIED = "disqualified"
    LOST = "lost"
    SUPPRESSED = "suppressed"


_OF_STATE: Mapping[State, Stage] = {
    State.QUALIFIED: Stage.MARKETING_QUALIFIED,
    State.QUEUED: Stage.MARKETING_QUALIFIED,
    State.ASSIGNED: Stage.MARKETING_QUALIFIED,
    State.ACCEPTED: Stage.SALES_ACCEPTED,
    State.WORKING: Stage.SALES_ACCEPTED,
    State.WON: Stage.CUSTOMER,
    State.LOST: Stage.LOST,
    State.DISQUALIFIED: Stage.DISQUALIFIED,
    State.SUPPRESSED: Stage.SUPPRESSED,
}
_AFTER_WORK = frozenset({"recycle", "lost", "pulled_back"})


def stage_of(handoff: Handoff | None, facts: Mapping[str, str], *, is_suppressed: bool, engagement_floor: int) -> Stage:
    """The stage of a lead whose latest handoff is given; facts hold is_known and engagement."""
    if is_suppressed:
        return Stage.SUPPRESSED
    if handoff is None or handoff.state is State.MERGED:
        if facts.get("is_known") != "true":
            return Stage.ANONYMOUS
        engagement = float(facts.get("engagement", "0"))
        return Stage.ENGAGED if engagement >= engagement_floor else Stage.KNOWN
    if handoff.state is State.OPPORTUNITY:
        return Stage.OPPORTUNITY if handoff.has_deal else Stage.SALES_QUALIFIED
    if handoff.state is State.NURTURE:
        return Stage.RECYCLED if handoff.result in _AFTER_WORK else Stage.NURTURE
    return _OF_STATE[handoff.state]
