"""Loops wait for the world, wake at a sign, and end when asked."""

import asyncio
from datetime import UTC, datetime, timedelta

from shared import clock
from shared.runtime.pace import Pace, first_of, seconds_until


async def test_a_wake_up_ends_the_wait_even_when_it_came_before() -> None:
    pace = Pace()
    pace.wake()
    async with asyncio.timeout(30):
        assert await pace.until(at_most_seconds=3_600)


async def test_a_past_moment_does_not_wait() -> None:
    async with asyncio.timeout(30):
        assert await Pace().until(datetime(2020, 1, 1, tzinfo=UTC), at_most_seconds=3_600)


async def test_stopping_ends_the_loop_and_calls_back_once() -> None:
    pace, called = Pace(), []
    pace.on_stop(lambda: called.append(1))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        loop = group.create_task(pace.until(at_most_seconds=3_600))
        pace.stop()
        pace.stop()
        assert not await loop
    assert (called, pace.is_stopping) == ([1], True)


async def test_the_wait_is_never_longer_than_its_bound() -> None:
    async with asyncio.timeout(30):
        assert await Pace().until(clock.now() + timedelta(days=1), at_most_seconds=0.01)


def test_seconds_until_are_machine_seconds() -> None:
    ahead = seconds_until(clock.now() + timedelta(seconds=100))
    assert 90 < ahead <= 100


async def test_the_first_event_wins() -> None:
    never, set_already = asyncio.Event(), asyncio.Event()
    set_already.set()
    async with asyncio.timeout(30):
        await first_of(never, set_already)
