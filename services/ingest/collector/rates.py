"""How fast a key or a client address may deliver: a sliding window of one second each, in this process's memory.

Checked before anything of the body is read; a 429 names the seconds to wait. The window slides by weight: requests of
the last whole second count by the share of it that still lies within one second of now.
"""

from typing import Final

from services.ingest.collector.answers import Refused
from shared import clock

__all__ = ["Rates"]

_WAIT_SECONDS: Final = 1


class Rates:
    """The counts of this process; it remembers only who asked in this second and in the one before."""

    def __init__(self) -> None:
        self._second = 0
        self._counts: dict[object, int] = {}
        self._counts_before: dict[object, int] = {}

    def take(self, what: str, who: object, *, per_second: int) -> None:
        """Take one request out of the window. Raises Refused 429 when it is full."""
        self.check(what, who, per_second=per_second)
        self.count(what, who)

    def count(self, what: str, who: object) -> None:
        """Count one request of the second that was looked at last."""
        self._counts[what, who] = self._counts.get((what, who), 0) + 1

    def check(self, what: str, who: object, *, per_second: int) -> None:
        """Raise Refused 429 when the window has no room for one more."""
        now = clock.monotonic()
        second = int(now)
        if second != self._second:
            self._counts_before = self._counts if second == self._second + 1 else {}
            self._counts, self._second = {}, second
        bucket = what, who
        count = self._counts.get(bucket, 0)
        share_before = 1 - (now - second)
        if count + self._counts_before.get(bucket, 0) * share_before + 1 > per_second:
            raise Refused(429, "rate_limited", "Too many requests a second; wait.", retry_after=_WAIT_SECONDS)
