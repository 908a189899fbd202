"""Decides what an activity is still worth: exponential decay by half-life, kept in closed form and exact.

A weight is the dyadic number mantissa * 2 ** exponent, canonical (odd mantissa), relative to a fixed instant. Adding is
integer arithmetic, so a sum does not depend on the order, repeats taken back leave no trace, and no sweep ever ages it.
Values that are made per event are named tuples here and in the modules around: a third of a dataclass's price.
"""

from datetime import UTC, datetime, timedelta
from math import ldexp
from typing import NamedTuple

__all__ = ["DAY_US", "NO_WEIGHT", "Weight", "decayed", "half_life_us", "micros", "moment", "weight_of"]

DAY_US = 86_400_000_000
# Any fixed instant would do: weights are relative to it, and it cancels when they are read.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Precision of one activity's weight: that of the float it comes from, so nothing is lost and an integer holds it.
_PRECISION_BITS = 52
# Bits of a sum that a float can hold; more would only cost time.
_READ_BITS = 64
# A sum over thousands of half-lives keeps this many bits; what falls off is below 2 ** -4096 of it. Keeps rows short.
_BITS_MAX = 8_192
_BITS_KEPT = 4_096


class Weight(NamedTuple):
    """A sum of decayed activities: mantissa * 2 ** exponent, in units of one activity at the fixed instant."""

    mantissa: int
    exponent: int

    def plus(self, other: "Weight") -> "Weight":
        """The exact sum; commutative and associative, and `plus` of the opposite gives NO_WEIGHT."""
        if not other.mantissa:
            return self
        if not self.mantissa:
            return other
        low = min(self.exponent, other.exponent)
        total = (self.mantissa << (self.exponent - low)) + (other.mantissa << (other.exponent - low))
        return _canonical(total, low)

    def minus(self, other: "Weight") -> "Weight":
        """The exact difference."""
        return self.plus(Weight(-other.mantissa, other.exponent))


NO_WEIGHT = Weight(0, 0)


def weight_of(at_us: int, *, human: float, half_life: int) -> Weight:
    """The weight of one activity at at_us (microseconds, UTC): human * 2 ** (at / half_life), 0 when human < 1/2.

    half_life > 0 in microseconds. Source: SCORING section 2.
    """
    if human < 0.5:
        return NO_WEIGHT
    whole, rest = divmod(at_us, half_life)
    return _canonical(round(human * 2.0 ** (rest / half_life) * (1 << _PRECISION_BITS)), whole - _PRECISION_BITS)


def decayed(weight: Weight, now_us: int, *, half_life: int) -> float:
    """What the sum is worth at now_us, in activities: sum of human_i * 2 ** (-(now - at_i) / half_life)."""
    mantissa, exponent = weight.mantissa, weight.exponent
    if not mantissa:
        return 0.0
    whole, rest = divmod(now_us, half_life)
    spare = mantissa.bit_length() - _READ_BITS
    if spare > 0:
        mantissa, exponent = mantissa >> spare, exponent + spare
    return ldexp(mantissa * 2.0 ** (-rest / half_life), exponent - whole)


def half_life_us(days: float) -> int:
    """A half-life of the agreement in microseconds, at least one."""
    return max(1, round(days * DAY_US))


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    since = at - _EPOCH
    return since.days * DAY_US + since.seconds * 1_000_000 + since.microseconds


def moment(at_us: int) -> datetime:
    """The aware UTC instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=at_us)


def _canonical(mantissa: int, exponent: int) -> Weight:
    if not mantissa:
        return NO_WEIGHT
    spare = (mantissa & -mantissa).bit_length() - 1
    if mantissa.bit_length() - spare > _BITS_MAX:
        spare = mantissa.bit_length() - _BITS_KEPT
    return Weight(mantissa >> spare, exponent + spare)
