"""Waits until a stack has handled everything, and says what is due next. The driver's and the tests' only wait.

Quiet = every service says, twice in a row and with nothing handled in between: no lag, empty outbox, nothing due.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.operator import NoAnswer, StackCalls
from shared.clock import monotonic, sleep
from shared.config import SERVICES

__all__ = ["NotQuiet", "Standing", "standing", "wait_until_quiet"]

# A look costs the services some milliseconds each; looking all the time would slow down what is waited for.
_LOOK_SECONDS = 0.03


class NotQuiet(Exception):
    """The stack did not come to rest in time; the text says who still had what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How all services stand at one look."""

    handled: int
    lag: int
    outbox_waiting: int
    due: int
    next_due_at: datetime | None
    busy: str

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits anywhere at this look."""
        return not (self.lag or self.outbox_waiting or self.due)


async def standing(calls: StackCalls) -> Standing:
    """Ask all services at the same time."""
    answers: list[dict[str, Any]] = await asyncio.gather(
        *(calls.call(service, "GET", "/internal/standing", internal=True) for service in SERVICES)
    )
    moments = [datetime.fromisoformat(one["next_due_at"]) for one in answers if one["next_due_at"]]
    busy = {
        one["service"]: {name: one[name] for name in ("lag", "outbox_waiting", "due") if one[name]} for one in answers
    }
    return Standing(
        handled=sum(one["handled"] for one in answers),
        lag=sum(one["lag"] for one in answers),
        outbox_waiting=sum(one["outbox_waiting"] for one in answers),
        due=sum(one["due"] for one in answers),
        next_due_at=min(moments, default=None),
        busy=str({name: what for name, what in busy.items() if what}),
    )


async def wait_until_quiet(
    calls: StackCalls, *, within_seconds: float = 60, nudge: Callable[[], None] = lambda: None
) -> Standing:
    """The standing once the stack is at rest. Raises NotQuiet. A service that is restarting counts as busy.

    nudge wakes loops that look only now and then; it is called while something is due that nobody has begun.
    """
    deadline = monotonic() + within_seconds
    before: Standing | None = None
    busy = "no answer yet"
    while monotonic() < deadline:
        try:
            now = await standing(calls)
        except NoAnswer as error:
            before, busy = None, str(error)
        else:
            if now.is_idle and before is not None and before.is_idle and before.handled == now.handled:
                return now
            if now.due and not now.lag and before is not None and before.due:
                nudge()
            before, busy = now, now.busy
        await sleep(_LOOK_SECONDS)
    raise NotQuiet(f"Not at rest after {within_seconds:.0f} s: {busy}")
