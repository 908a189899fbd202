"""Draws without state: the same seed and names give the same value, in any order of asking. Pure.

So a story does not change because one more thing is asked of another lead.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import TypeVar

__all__ = ["Dice", "chance"]

_T = TypeVar("_T")
_SCALE = float(1 << 64)


@dataclass(frozen=True, slots=True)
class Dice:
    """All draws of one story."""

    seed: int

    def share(self, *names: object) -> float:
        """A number in [0, 1) that belongs to these names."""
        text = "\x1f".join(str(name) for name in (self.seed, *names))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / _SCALE

    def happens(self, chance: float, *names: object) -> bool:
        """Whether something of this chance happens."""
        return self.share(*names) < chance

    def between(self, low: float, high: float, *names: object) -> float:
        """An even draw from [low, high)."""
        return low + (high - low) * self.share(*names)

    def whole(self, low: int, high: int, *names: object) -> int:
        """An even draw of a whole number from low to high, both possible."""
        return low + int(self.share(*names) * (high - low + 1))

    def one_of(self, things: Sequence[_T], *names: object) -> _T:
        """One of the things, evenly."""
        return things[int(self.share(*names) * len(things))]

    def weighted(self, things: Sequence[tuple[_T, float]], *names: object) -> _T:
        """One of (thing, weight), by weight."""
        left = self.share(*names) * sum(weight for _, weight in things)
        for thing, weight in things:
            left -= weight
            if left < 0:
                return thing
        return things[-1][0]

    def delay(self, median: float, *names: object) -> float:
        """A positive draw with this median and a long tail (log-logistic, shape 2)."""
        u = min(max(self.share(*names), 1e-9), 1 - 1e-9)
        return float(median * (u / (1 - u)) ** 0.5)


def chance(logit: float) -> float:
    """The logistic function: any number to a chance."""
    return 1 / (1 + exp(-logit))
