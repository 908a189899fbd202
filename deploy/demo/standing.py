"""Waits until a stack has handled everything, and says what is due next. The driver's and the tests' only wait.

Quiet = every service was asked after all had nothing left to do, and asked once more: both times no lag, an empty
outbox and nothing due, and nothing was handled in between.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from deploy.local.operator import CallError, NoAnswer
from shared.clock import monotonic, sleep
from shared.config import SERVICES

__all__ = ["NotQuiet", "Standing", "wait_until_quiet"]

# A look costs the service some milliseconds; looking all the time would slow down what is waited for.
_LOOK_SECONDS = 0.02
_WAITING = ("lag", "outbox_waiting", "due", "error")
# What is due is mostly being done already; only a loop that sleeps needs waking, and waking costs all of them a look.
_LOOKS_BEFORE_NUDGE = 5


class NotQuiet(Exception):
    """The stack did not come to rest in time; the text says who still had what to do."""


class Calls(Protocol):
    """Who asks: the calls to a stack."""

    async def call(self, service: str, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON of a service
        """The JSON answer. Raises NoAnswer or CallError."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How all services stand at rest."""

    handled: int
    lag: int
    outbox_waiting: int
    due: int
    next_due_at: datetime | None


async def wait_until_quiet(
    calls: Calls, *, within_seconds: float = 60, nudge: Callable[[], None] = lambda: None
) -> Standing:
    """The standing once the stack is at rest. Raises NotQuiet. A service that is restarting counts as busy.

    nudge wakes loops that look only now and then; it is called while something is due that nobody seems to begin.
    """
    deadline = monotonic() + within_seconds
    asked: Sequence[str] = SERVICES
    waiting: Sequence[str] = ()  # were busy; asked one by one, in the order in which events travel
    handled: dict[str, int] = {}  # what each had handled when it was last asked
    looks = 0
    while True:
        answers = dict(zip(asked, await asyncio.gather(*(_ask(calls, service) for service in asked)), strict=True))
        busy = {service: what for service, answer in answers.items() if (what := _busy(answer))}
        found = {service: answer.get("handled", -1) for service, answer in answers.items()}
        if not busy and found == handled:
            return _standing(list(answers.values()))
        handled |= found
        waiting = [one for one in SERVICES if one in busy or (one in waiting and one not in answers)]
        asked = waiting[:1] or SERVICES
        if busy:
            _must_be_before(deadline, busy)
            looks = looks + 1 if all(set(what) == {"due"} for what in busy.values()) else 0
            if looks and looks % _LOOKS_BEFORE_NUDGE == 0:
                nudge()
            await sleep(_LOOK_SECONDS)
        else:
            _must_be_before(deadline, {"the stack": "something was handled between two looks"})


def _must_be_before(deadline: float, busy: Mapping[str, object]) -> None:
    if monotonic() > deadline:
        raise NotQuiet("; ".join(f"{service} is not at rest: {what}" for service, what in busy.items()))


async def _ask(calls: Calls, service: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await calls.call(service, "GET", "/internal/standing", internal=True)
    except (NoAnswer, CallError) as error:
        return {"error": str(error)}
    return answer


def _busy(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in _WAITING if answer.get(name)}


def _standing(answers: Sequence[dict[str, Any]]) -> Standing:
    moments = [datetime.fromisoformat(one["next_due_at"]) for one in answers if one["next_due_at"]]
    return Standing(
        handled=sum(one["handled"] for one in answers),
        lag=sum(one["lag"] for one in answers),
        outbox_waiting=sum(one["outbox_waiting"] for one in answers),
        due=sum(one["due"] for one in answers),
        next_due_at=min(moments, default=None),
    )
