"""How fast a key or a client address may deliver: a sliding window of one second each, in this process's memory.

Checked before anything of the body is read; a 429 names the seconds to wait.
"""

from typing import Final

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from services.ingest.collector.answers import Refused

__all__ = ["Rates"]

_WAIT_SECONDS: Final = 1


class Rates:
    """The buckets of this process."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._items: dict[int, RateLimitItemPerSecond] = {}

    def take(self, what: str, who: str, *, per_second: int) -> None:
        """Take one request out of the bucket. Raises Refused 429 when it is empty."""
        item = self._items.get(per_second) or self._items.setdefault(per_second, RateLimitItemPerSecond(per_second))
        if not self._limiter.hit(item, what, who):
            raise Refused(429, "rate_limited", "Too many requests a second; wait.", retry_after=_WAIT_SECONDS)
