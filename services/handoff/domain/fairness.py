"""Decides whose turn it is in a pool: weighted rotation by a ledger of what each member received and was entitled to.

Knows nothing of leads, skills or absences: it is given who may be picked now and answers with one of them.
Invariant: shares of one lead sum to UNIT exactly, so over a pool received - entitled sums to zero (credits aside).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from shared.ids import UserId

__all__ = ["UNIT", "Standing", "credit", "gap", "pick", "shares"]

# One lead, in the integer parts entitlements are counted in. A multiple of lcm(1..16), so that equal weights of up to
# 16 members divide exactly; floats would drift apart between two replays on two machines.
UNIT = 720_720_000
# Weights are read to three decimals: 0.333 is a weight, 1/3 is not.
WEIGHT_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """What one member of one pool received and was entitled to, since it first joined; never reset.

    received, credited: leads (>= 0); entitled: parts of UNIT (>= 0).
    """

    rep_id: UserId
    received: int = 0
    credited: int = 0
    entitled: int = 0

    @property
    def lag(self) -> int:
        """Entitled minus received, in parts of UNIT: > 0 means others went before; a credit raises it by one lead."""
        return self.entitled - (self.received - self.credited) * UNIT


def pick(
    standings: Mapping[UserId, Standing], weights: Mapping[UserId, float]
) -> tuple[UserId, dict[UserId, Standing]]:
    """Give one lead to one of the reps in `weights` (not empty, all > 0): who gets it, and the new standings of these.

    Each rep in `weights` is entitled to its share of this lead; whoever is not in it (away, full, outside skills) is
    not, so it is neither owed nor flooded when it returns. With D = 1 - 1/(2n - 2) leads, among those whose lag is at
    least 1 - D the one is picked whose lag reaches D first, (D - lag) / share; ties by rep id. With fixed members this
    keeps |received - entitled| <= D < 1. When nobody lags that far (members changed), whoever lags most is picked.
    Source: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980).
    """
    if not weights:
        raise ValueError("nobody to pick from; ask only with eligible members")
    share = shares(weights)
    entitled = {
        rep_id: replace(standing, entitled=standing.entitled + share[rep_id])
        for rep_id in sorted(weights)
        for standing in [standings.get(rep_id) or Standing(rep_id)]
    }
    chosen = _first_due(entitled, share)
    entitled[chosen] = replace(entitled[chosen], received=entitled[chosen].received + 1)
    return chosen, entitled


def shares(weights: Mapping[UserId, float]) -> dict[UserId, int]:
    """Each rep's part of one lead, in proportion to its weight; the parts sum to UNIT (largest remainders, then id)."""
    steps = {rep_id: max(1, round(weight * WEIGHT_STEPS)) for rep_id, weight in weights.items()}
    total = sum(steps.values())
    parts = {rep_id: steps[rep_id] * UNIT // total for rep_id in sorted(steps)}
    by_remainder = sorted(parts, key=lambda rep_id: (-(steps[rep_id] * UNIT % total), rep_id))
    for rep_id in by_remainder[: UNIT - sum(parts.values())]:
        parts[rep_id] += 1
    return parts


def credit(standing: Standing) -> Standing:
    """The standing after a lead that turned out bad: it no longer counts as received, so the next turn comes sooner."""
    return replace(standing, credited=standing.credited + 1)


def gap(standings: Iterable[Standing]) -> float:
    """The largest |received - entitled| of a pool in leads: the number the fairness bounds speak of. 0 when empty."""
    return max((abs(standing.lag) / UNIT for standing in standings), default=0.0)


def _first_due(entitled: Mapping[UserId, Standing], share: Mapping[UserId, int]) -> UserId:
    if len(entitled) == 1:
        return next(iter(entitled))
    slots = 2 * len(entitled) - 2
    due = [rep_id for rep_id, standing in entitled.items() if standing.lag * slots >= UNIT]
    if not due:
        return min(entitled, key=lambda rep_id: (-entitled[rep_id].lag, rep_id))
    # slots * (D - lag) = (slots - 1) * UNIT - slots * lag, in integers
    return min(
        due,
        key=lambda rep_id: (Fraction((slots - 1) * UNIT - slots * entitled[rep_id].lag, share[rep_id]), rep_id),
    )
