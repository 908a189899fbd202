"""Everything that no rule before it took goes to one pool."""

from dataclasses import dataclass

from services.handoff.domain.assignment import Floor
from services.handoff.domain.rules import Outcome, Pass, ToPool, rule
from services.handoff.domain.things import Need

__all__ = ["ToOnePool", "decide"]


@dataclass(frozen=True, slots=True)
class ToOnePool:
    """pool: its name in the agreement. is_exclusive: wait for this pool rather than ask the rules after it."""

    pool: str
    is_exclusive: bool = False


@rule("pool", ToOnePool)
def decide(_need: Need, floor: Floor, params: ToOnePool) -> Outcome:
    """Rotate in the pool; pass when it has no members."""
    if params.pool not in floor.pools:
        return Pass(f"no pool {params.pool}")
    return ToPool(params.pool, "for all that is left", is_exclusive=params.is_exclusive)
