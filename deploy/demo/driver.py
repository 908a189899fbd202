"""Steps the world from due moment to due moment: sends what is due, lets everything be handled, then moves the clock.

World time stands still while anything is handled, so machine latency is never counted as somebody's delay. Of one
moment people act first, each for themselves, then systems send: who gets what is sent depends on what people have
finished by then. It knows no HTTP: the doors are handed in. Invariant: nothing of the story is sent before its
moment, and no due moment is stepped over.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from deploy.demo.standing import Standing
from deploy.demo.story import Act

__all__ = ["Doors", "Driver", "Hand", "Planned"]


@dataclass(frozen=True, slots=True)
class Planned:
    """Something a person does at a moment, planned when they were given work.

    `do` says whether it still could be done. is_moving: it gives work to somebody else, so nobody acts beside it.
    """

    at: datetime
    who: str
    do: Callable[[], Awaitable[bool]]
    is_moving: bool = False


class Hand(Protocol):
    """What moves the world clock."""

    def now(self) -> datetime:
        """World time at this moment."""

    async def set(self, *, at: datetime | None = None, speed: float | None = None) -> datetime:
        """Go on from `at` at this speed."""


class Doors(Protocol):
    """What the driver asks of the outside: deliveries, looking for new work, and rest."""

    async def deliver(self, act: Act) -> None:
        """Send one act of the story through its door."""

    async def new_work(self) -> Sequence[Planned]:
        """What people plan because of what has changed since the last look."""

    async def quiet(self) -> Standing:
        """Wait until everything sent has been handled; how the stack then stands."""


@dataclass(slots=True)
class Driver:
    """One telling of a story."""

    doors: Doors
    hand: Hand
    acts: Sequence[Act]
    ends_at: datetime
    tell: Callable[[datetime, int], None]
    moments: int = 0
    late_for: int = 0
    _plan: list[tuple[datetime, int, Planned]] = field(default_factory=list)
    _added: int = 0
    _sent: int = 0
    _handled: int = -1

    def add(self, planned: Planned) -> None:
        """Put something on the plan."""
        self._added += 1
        heapq.heappush(self._plan, (planned.at, self._added, planned))

    async def play(self) -> None:
        """From the clock's moment to the end of the story; afterwards everything is at rest."""
        while True:
            standing = await self.doors.quiet()
            if standing.handled != self._handled:  # else nothing happened that could have given anybody work
                self._handled = standing.handled
                for planned in await self.doors.new_work():
                    self.add(planned)
            moment = self._next(standing)
            if moment > self.ends_at:
                return
            await self.hand.set(at=moment, speed=0)
            self.moments += 1
            self.tell(moment, self.moments)
            await self._act(self._due_of_plan(moment))
            await self._send(moment)

    def _next(self, standing: Standing) -> datetime:
        """The earliest moment at which anything happens: in the story, on the plan, or by a clock of the services."""
        story = self.acts[self._sent].at if self._sent < len(self.acts) else None
        planned = self._plan[0][0] if self._plan else None
        found = [moment for moment in (story, planned, standing.next_due_at) if moment is not None]
        return max(min(found), self.hand.now()) if found else datetime.max.replace(tzinfo=self.ends_at.tzinfo)

    def _due_of_plan(self, moment: datetime) -> list[Planned]:
        due: list[Planned] = []
        while self._plan and self._plan[0][0] <= moment:
            due.append(heapq.heappop(self._plan)[2])
        return due

    async def _act(self, people: Sequence[Planned]) -> None:
        """What moves work one by one; then everybody at the same time, each one thing after the other."""
        for planned in people:
            if planned.is_moving:
                await self._do(planned)
        lists: dict[str, list[Planned]] = {}
        for planned in people:
            if not planned.is_moving:
                lists.setdefault(planned.who, []).append(planned)
        await asyncio.gather(*(self._one_by_one(own) for own in lists.values()))

    async def _one_by_one(self, planned: Sequence[Planned]) -> None:
        for one in planned:
            await self._do(one)

    async def _do(self, planned: Planned) -> None:
        was_done = await planned.do()  # awaited before the count is read: others count meanwhile
        self.late_for += not was_done

    async def _send(self, moment: datetime) -> None:
        while self._sent < len(self.acts) and self.acts[self._sent].at <= moment:
            await self.doors.deliver(self.acts[self._sent])
            self._sent += 1
