"""Rest is seen twice: nothing to do anywhere, and nothing handled since each was last seen so."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from deploy.demo.standing import NotQuiet, wait_until_quiet
from deploy.local.operator import NoAnswer
from shared.config import SERVICES


@dataclass
class _Stack:
    """Services that say what they were told to, one answer after the other; the last one again and again."""

    said: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    async def call(self, service: str, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON of a service
        assert (method, path, named) == ("GET", "/internal/standing", {"internal": True})
        self.asked[service] += 1
        answers = self.said.get(service) or [_idle()]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            raise NoAnswer(f"{service} does not answer")
        return answer


def _idle(handled: int = 0, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"handled": handled, "lag": 0, "outbox_waiting": 0, "due": 0, "next_due_at": None, **more}


async def test_a_stack_at_rest_is_asked_twice() -> None:
    stack = _Stack()
    assert (await wait_until_quiet(stack)).handled == 0
    assert stack.asked == dict.fromkeys(SERVICES, 2)


async def test_who_is_busy_is_asked_until_it_is_not_before_those_behind_it() -> None:
    stack = _Stack(
        {"scoring": [_idle(lag=2), _idle(1, outbox_waiting=1), _idle(2)], "console": [_idle(lag=1), _idle(1)]}
    )
    assert (await wait_until_quiet(stack)).handled == 3
    assert stack.asked["scoring"] == 4
    assert stack.asked["console"] == 3
    assert stack.asked["ingest"] == 2


async def test_what_was_handled_between_two_looks_asks_for_another() -> None:
    stack = _Stack({"feedback": [_idle(4), _idle(5), _idle(5)]})
    assert (await wait_until_quiet(stack)).handled == 5
    assert stack.asked["feedback"] == 3


async def test_a_service_that_restarts_is_busy_and_one_that_never_rests_is_named() -> None:
    stack = _Stack({"handoff": [None, _idle(7)]})
    assert (await wait_until_quiet(stack)).handled == 7
    with pytest.raises(NotQuiet, match=r"console is not at rest: .*lag.*3"):
        await wait_until_quiet(_Stack({"console": [_idle(lag=3)]}), within_seconds=0.1)


async def test_a_stack_that_handles_something_between_all_looks_is_not_asked_for_ever() -> None:
    stack = _Stack({"console": [_idle(number) for number in range(10)]})
    with pytest.raises(NotQuiet, match="handled between two looks"):
        await wait_until_quiet(stack, within_seconds=-1)


async def test_sleepers_are_woken_when_only_their_due_work_is_left() -> None:
    woken: list[None] = []
    stack = _Stack({"scoring": [*(_idle(due=1) for _ in range(7)), _idle()]})
    await wait_until_quiet(stack, nudge=lambda: woken.append(None))
    assert len(woken) == 1
