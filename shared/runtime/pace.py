"""How loops wait: until a moment of the world, a wake-up, a move of the world clock, or the end of the process.

A wake-up is a hint: what is due is read from the table. In demo and tests one watcher per process looks at the clock
file every 10 ms and wakes all paces, so a step of the world costs no loop a second.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from shared import clock
from shared.errors import Fatal

__all__ = ["Pace", "first_of", "watch_world_clock"]

LONGEST_SECONDS = 1.0


class Pace:
    """The heartbeat of one loop: `while await pace.until(next_due): next_due = await do_what_is_due()`."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self.stopping = asyncio.Event()  # for parts that wait by themselves
        self._on_stop: list[Callable[[], None]] = []

    @property
    def is_stopping(self) -> bool:
        """Whether the loop was asked to end."""
        return self.stopping.is_set()

    def wake(self) -> None:
        """End the current wait; a wake-up while nobody waits ends the next wait at once."""
        self._woken.set()

    def stop(self) -> None:
        """Let the loop end after what it does now."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._woken.set()
            for run in self._on_stop:
                run()

    def on_stop(self, run: Callable[[], None]) -> None:
        """Call a function when the loop is asked to stop."""
        self._on_stop.append(run)

    async def until(self, due: datetime | None = None, *, at_most_seconds: float = LONGEST_SECONDS) -> bool:
        """Wait until world time is due, at most some machine seconds, or a wake-up. False: the loop must end now."""
        if not self.is_stopping and not self._woken.is_set():
            seconds = at_most_seconds if due is None else min(at_most_seconds, seconds_until(due))
            if seconds > 0:
                try:
                    async with asyncio.timeout(seconds):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        self._woken.clear()
        return not self.is_stopping


def seconds_until(due: datetime) -> float:
    """Machine seconds until a moment of the world.

    Negative when past, infinite while the world stands still before it.
    """
    ahead = (due - clock.now()).total_seconds()
    world = clock.world_clock()
    if world is None or ahead <= 0:
        return ahead
    return ahead / world.speed if world.speed > 0 else float("inf")


async def watch_world_clock(paces: Sequence[Pace], stop: asyncio.Event) -> None:
    """Wake all paces whenever the world clock was moved; returns when there is none, or when asked to stop."""
    try:
        seen = clock.world_clock()
    except (OSError, ValueError, KeyError) as error:
        raise Fatal(f"The world clock file cannot be read: {error}. `baton demo` writes it.") from error
    while seen is not None and not stop.is_set():
        await clock.sleep(clock.LOOK_AT_CLOCK_SECONDS)
        now = clock.world_clock()
        if now != seen:
            seen = now
            for pace in paces:
                pace.wake()


async def first_of(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(event.wait()) for event in events]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
