"""Whether a consumer stands still: judged by numbers alone, never by exceptions or by "the process is up". Pure.

Two standstills end the process: records wait and nothing moves, or nothing is assigned although there is something to
have. A batch in back-off is no reason, nor is a broker that does not answer.
"""

from dataclasses import dataclass

__all__ = ["Look", "Patience", "Watchdog"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to look on, in machine seconds; above the batch's deadline, or a slow batch would end the process."""

    no_progress: float = 15.0
    nothing_assigned: float = 30.0
    look_every: float = 1.0
    ask_every: float = 5.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found; the times are of one monotonic clock."""

    now: float
    moved_at: float
    assigned_at: float
    is_assigned: bool
    should_have_some: bool
    is_waiting: bool


class Watchdog:
    """Remembers since when records wait: after a quiet time the first one looks as if it had waited all along."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._asked_at = float("-inf")
        self._behind_since: float | None = None

    def must_ask(self, look: Look) -> bool:
        """Whether the ends of the log must be asked for to judge this look; at most every ask_every seconds."""
        if look.now - self._asked_at < min(self._patience.ask_every, self._patience.no_progress):
            return False
        is_suspect = self._has_nothing(look) or self._stands(look)
        if is_suspect:
            self._asked_at = look.now
        else:
            self._behind_since = None
        return is_suspect

    def judge(self, look: Look, *, is_behind: bool | None) -> str | None:
        """Why the process must end, or None. is_behind: records wait (None: the broker did not answer)."""
        if is_behind is None:
            self._behind_since = None
            return None
        if self._has_nothing(look):
            return f"No partition was assigned for {self._patience.nothing_assigned:.0f} s although there are some."
        if not (is_behind and self._stands(look)):
            self._behind_since = None
            return None
        if self._behind_since is None:
            self._behind_since = look.now
        if look.now - self._behind_since > self._patience.no_progress:
            return f"There are records to read and nothing moved for {self._patience.no_progress:.0f} s."
        return None

    def _has_nothing(self, look: Look) -> bool:
        silence = look.now - look.assigned_at
        return not look.is_assigned and look.should_have_some and silence > self._patience.nothing_assigned

    def _stands(self, look: Look) -> bool:
        return not look.is_waiting and look.now - look.moved_at > self._patience.no_progress
