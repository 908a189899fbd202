"""Waits until a stack has handled everything, and says what is due next. The driver's and the tests' only wait.

Quiet = every service, asked in the order in which events travel, has no lag, an empty outbox and nothing due; and
asked once more, all at the same time, they say the same and have handled nothing in between.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.operator import CallError, NoAnswer, StackCalls
from shared.clock import monotonic, sleep
from shared.config import SERVICES

__all__ = ["NotQuiet", "Standing", "wait_until_quiet"]

# A look costs the service some milliseconds; looking all the time would slow down what is waited for.
_LOOK_SECONDS = 0.02
_WAITING = ("lag", "outbox_waiting", "due")


class NotQuiet(Exception):
    """The stack did not come to rest in time; the text says who still had what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How all services stand at rest."""

    handled: int
    lag: int
    outbox_waiting: int
    due: int
    next_due_at: datetime | None


async def wait_until_quiet(
    calls: StackCalls, *, within_seconds: float = 60, nudge: Callable[[], None] = lambda: None
) -> Standing:
    """The standing once the stack is at rest. Raises NotQuiet. A service that is restarting counts as busy.

    nudge wakes loops that look only now and then; it is called while something is due that nobody has begun.
    """
    deadline = monotonic() + within_seconds
    while True:
        one_by_one = [await _idle(calls, service, deadline=deadline, nudge=nudge) for service in SERVICES]
        try:
            together = await asyncio.gather(*(_ask(calls, service) for service in SERVICES))
        except (NoAnswer, CallError):
            continue
        is_unchanged = [one["handled"] for one in one_by_one] == [one["handled"] for one in together]
        if is_unchanged and not any(map(_busy, together)):
            return _standing(together)


async def _idle(calls: StackCalls, service: str, *, deadline: float, nudge: Callable[[], None]) -> dict[str, Any]:
    """What one service says once it has nothing to do."""
    was_due = False
    while True:
        busy: object
        try:
            answer = await _ask(calls, service)
            busy = _busy(answer)
            if not busy:
                return answer
            is_due = set(_busy(answer)) == {"due"}
            if is_due and was_due:
                nudge()
            was_due = is_due
        except (NoAnswer, CallError) as error:
            busy = error
        if monotonic() > deadline:
            raise NotQuiet(f"{service} is not at rest: {busy}")
        await sleep(_LOOK_SECONDS)


async def _ask(calls: StackCalls, service: str) -> dict[str, Any]:
    answer: dict[str, Any] = await calls.call(service, "GET", "/internal/standing", internal=True)
    return answer


def _busy(answer: dict[str, Any]) -> dict[str, int]:
    return {name: answer[name] for name in _WAITING if answer[name]}


def _standing(answers: Sequence[dict[str, Any]]) -> Standing:
    moments = [datetime.fromisoformat(one["next_due_at"]) for one in answers if one["next_due_at"]]
    return Standing(
        handled=sum(one["handled"] for one in answers),
        lag=sum(one["lag"] for one in answers),
        outbox_waiting=sum(one["outbox_waiting"] for one in answers),
        due=sum(one["due"] for one in answers),
        next_due_at=min(moments, default=None),
    )
