"""How many requests a lane may send now: a token bucket over machine seconds, which the caller passes in."""

from dataclasses import dataclass

__all__ = ["Bucket"]


@dataclass(slots=True)
class Bucket:
    """Refills at `rate` a second up to one second's worth, and never below one token: a slow lane still moves."""

    rate: float
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: float, *, now: float) -> "Bucket":
        """A bucket nobody has taken from."""
        return cls(rate, max(1.0, rate), now)

    def take(self, count: int, *, rate: float, now: float) -> None:
        """Note that so many were sent at the rate now in force; may leave it owing."""
        self.refill(now=now)
        self.rate = rate
        self.tokens = min(self.tokens, max(1.0, rate)) - count

    def refill(self, *, now: float) -> int:
        """The whole tokens there are now, never below 0."""
        self.tokens = min(max(1.0, self.rate), self.tokens + (now - self.at) * self.rate)
        self.at = now
        return max(0, int(self.tokens))
