"""Decides when a service that ended is started again. Pure.

A service that asks for it (exit 70: no progress, lost its instance lock, …) or was killed comes back at once; one
that ends again and again waits longer each time, so that a broken one does not take the machine.
"""

from dataclasses import dataclass

__all__ = ["Attempts", "pause_before_restart"]

# Who lives longer than this began its work, which takes some 3 s: its end counts as the first again. With more, a
# service that is killed from outside again and again (or whose PostgreSQL is) would be kept waiting as a broken one.
HEALTHY_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a service ended in a row without having been healthy for a while."""

    in_a_row: int = 0

    def after_end(self, *, lived_seconds: float) -> "Attempts":
        """The attempts after one more end."""
        return Attempts(1 if lived_seconds >= HEALTHY_SECONDS else self.in_a_row + 1)


def pause_before_restart(attempts: Attempts) -> float:
    """Seconds to wait: none for the first end, then twice as long each time, 30 s at most."""
    if attempts.in_a_row <= 1:
        return 0.0
    return float(min(_FIRST_PAUSE_SECONDS * 2 ** (attempts.in_a_row - 2), _LONGEST_PAUSE_SECONDS))
