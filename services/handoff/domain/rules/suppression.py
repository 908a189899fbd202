"""Nobody is given a lead that must not be contacted."""

from dataclasses import dataclass

from services.handoff.domain.assignment import Floor
from services.handoff.domain.rules import Outcome, Pass, Refuse, rule
from services.handoff.domain.things import Need

__all__ = ["Suppression", "decide"]


@dataclass(frozen=True, slots=True)
class Suppression:
    """No parameters: what the agreement may not soften."""


@rule("suppression", Suppression)
def decide(need: Need, _floor: Floor, _params: Suppression) -> Outcome:
    """Refuse a suppressed or erased lead, and one without consent unless it asked for contact itself."""
    if need.lead.is_erased:
        return Refuse("erased")
    if need.lead.is_suppressed:
        return Refuse("suppressed")
    if not need.lead.has_consent and not need.is_hand_raiser:
        return Refuse("no consent")
    return Pass("may be contacted")
