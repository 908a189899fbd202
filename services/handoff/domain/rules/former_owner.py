"""A handoff that comes back goes first to the rep who had it, so that nobody starts from nothing."""

from dataclasses import dataclass

from services.handoff.domain.assignment import Floor, exclusion_of_one
from services.handoff.domain.rules import Assign, Outcome, Pass, rule
from services.handoff.domain.things import Need

__all__ = ["FormerOwner", "decide"]


@dataclass(frozen=True, slots=True)
class FormerOwner:
    """No parameters."""


@rule("former_owner", FormerOwner)
def decide(need: Need, floor: Floor, _params: FormerOwner) -> Outcome:
    """Assign to the former owner after a split; pass with the reason when there is none or it may not take it now."""
    former = need.preferred
    if former is None:
        return Pass("nobody had it before")
    exclusion = exclusion_of_one(need, former, floor)
    if exclusion is not None:
        return Pass(exclusion.value, excluded=(former, exclusion))
    return Assign(former, "had it before")
