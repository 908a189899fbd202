"""Who owns the account gets its leads, while that rep may take one more."""

from dataclasses import dataclass

from services.handoff.domain.assignment import Floor, exclusion_of_one
from services.handoff.domain.rules import Assign, Outcome, Pass, rule
from services.handoff.domain.things import Need

__all__ = ["AccountOwner", "decide"]


@dataclass(frozen=True, slots=True)
class AccountOwner:
    """No parameters."""


@rule("account_owner", AccountOwner)
def decide(need: Need, floor: Floor, _params: AccountOwner) -> Outcome:
    """Assign to the account's owner; pass with the reason when there is none or it may not take it now."""
    owner = need.account_owner
    if owner is None:
        return Pass("the account has no owner" if need.lead.account_id else "the lead has no account")
    exclusion = exclusion_of_one(need, owner, floor)
    if exclusion is not None:
        return Pass(exclusion.value, excluded=(owner, exclusion))
    return Assign(owner, "owns the account")
