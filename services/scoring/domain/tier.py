"""Decides the SLA tier a qualification falls in: the first of the agreement whose condition holds for its facts."""

from collections.abc import Mapping

from shared.contracts.agreement import SlaTerms
from shared.contracts.condition import evaluate

__all__ = ["BELOW_FLOOR_TIER", "tier_of"]

# A hand-raiser below the fit floor is not promised five minutes (DECISIONS section 4).
BELOW_FLOOR_TIER = "list"


def tier_of(terms: SlaTerms, facts: Mapping[str, str], *, policy: str, is_below_floor: bool = False) -> str:
    """The tier's name. `is_hand_raiser` is a fact of the decision, not of the person."""
    if is_below_floor:
        return BELOW_FLOOR_TIER
    asked = {**facts, "is_hand_raiser": "true" if policy == "hand_raiser" else "false"}
    for tier in terms.tiers:
        if evaluate(tier.when, asked):
            return tier.name
    return terms.tiers[-1].name
