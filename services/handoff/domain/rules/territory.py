"""Leads of one region or segment go to the pool that works it; the condition stands in the agreement's `when`."""

from dataclasses import dataclass

from services.handoff.domain.assignment import Floor
from services.handoff.domain.rules import Outcome, Pass, ToPool, rule
from services.handoff.domain.things import Need

__all__ = ["Territory", "decide"]


@dataclass(frozen=True, slots=True)
class Territory:
    """pool: its name in the agreement. is_exclusive: wait for this pool rather than ask the rules after it."""

    pool: str
    is_exclusive: bool = False


@rule("territory", Territory)
def decide(_need: Need, floor: Floor, params: Territory) -> Outcome:
    """Rotate in the territory's pool; pass when there is no such pool."""
    if params.pool not in floor.pools:
        return Pass(f"no pool {params.pool}")
    return ToPool(params.pool, f"in the territory of {params.pool}", is_exclusive=params.is_exclusive)
