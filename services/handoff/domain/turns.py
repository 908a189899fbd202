"""After an outage: at which instant one more handoff may be taken from a rep, at most three within any minute.

What fell due while nobody could act would else leave its owner all at once, and flood the others (RELIABILITY 3.6).
Pure; the instants taken are those at which handoffs left the rep, and those at which others will.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import datetime, timedelta

__all__ = ["MINUTE", "REASSIGNED_A_MINUTE_MAX", "Turns"]

REASSIGNED_A_MINUTE_MAX = 3
MINUTE = timedelta(minutes=1)


class Turns:
    """The instants of one rep, in order; each next one is kept."""

    def __init__(self, taken: Sequence[datetime] = ()) -> None:
        self._taken = sorted(taken)

    def note(self, at: datetime) -> None:
        """One that nobody asks about has left, or will."""
        insort(self._taken, at)

    def take(self, now: datetime) -> datetime:
        """The first instant from now on with which every minute around it holds at most REASSIGNED_A_MINUTE_MAX."""
        later = (each + MINUTE for each in self._taken if each + MINUTE > now)
        turn = next(each for each in (now, *later) if self._is_free(each))
        insort(self._taken, turn)
        return turn

    def _is_free(self, at: datetime) -> bool:
        """Whether no minute that holds this instant, [start, start + 1 min), would hold one too many."""
        place = bisect_left(self._taken, at)
        near = self._taken[max(0, place - REASSIGNED_A_MINUTE_MAX) : place + REASSIGNED_A_MINUTE_MAX]
        near = sorted([*near, at])
        groups = zip(near, near[REASSIGNED_A_MINUTE_MAX:], strict=False)
        return all(last - first >= MINUTE for first, last in groups if first <= at <= last)
