"""How a service stands: what waits, what is due in the world, how far behind the log. The demo's driver steps by it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from shared.db.engine import ReadTx

__all__ = ["Due", "StandingSource"]


@dataclass(frozen=True, slots=True)
class Due:
    """World-due work: how many pieces are due and not done, and the next moment something becomes due (None.

    Nothing).
    """

    due: int
    next_due_at: datetime | None


# Asked in one read transaction; a service gives one per kind of due work (clocks, rechecks, dispatches).
StandingSource = Callable[[ReadTx], Awaitable[Due]]
