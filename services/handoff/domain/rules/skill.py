"""A lead that speaks a language or needs a skill is better with a rep who has it."""

from dataclasses import dataclass

from services.handoff.domain.assignment import Floor
from services.handoff.domain.rules import Outcome, Pass, rule
from services.handoff.domain.things import Need

__all__ = ["Skill", "decide"]


@dataclass(frozen=True, slots=True)
class Skill:
    """fact: the fact of the lead whose value names the skill or language."""

    fact: str


@rule("skill", Skill)
def decide(need: Need, _floor: Floor, params: Skill) -> Outcome:
    """Never takes the lead itself: passes on the wish; a pool where nobody free can meet it drops it, and says so."""
    value = need.lead.facts.get(params.fact, "").lower()
    if not value:
        return Pass(f"{params.fact} is not known")
    return Pass(f"prefers a rep with {params.fact} {value}", wished=frozenset({value}))
