"""The movable world clock of the demo and the tests: its SQL, its file, and the only hand that moves them.

One affine clock (base + machine time since start * speed) is written into every database first, then into the file
that the processes look at. Invariant: world time never goes back, whoever moves it and however often.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from shared.clock import WorldClock, machine_now
from shared.db.engine import Database, transaction

__all__ = ["INSTALL", "NotOurs", "WorldClockHand", "install", "move", "write_file"]

INSTALL = (
    "create schema if not exists world_clock",
    """
    create table if not exists world_clock.setting (
        base timestamptz not null, start timestamptz not null, speed double precision not null
    )
    """,
    "delete from world_clock.setting",
    "insert into world_clock.setting values (now(), now(), 1)",
    """
    create or replace function baton_now() returns timestamptz language sql stable parallel safe
    as 'select base + (now() - start) * speed from world_clock.setting'
    """,
)

_IS_SOMEBODYS = "select to_regnamespace('world_clock') is null and exists (select from inbox)"


class NotOurs(Exception):
    """The database belongs to somebody else: it holds events and has no movable clock."""


async def install(database: Database) -> None:
    """Give a migrated database the movable clock, running at the host's time until it is moved.

    Raises NotOurs for a database that is in use without one: a demo must never bend the time of real data.
    """
    async with transaction(database, "command") as tx:
        if (await tx.execute(_IS_SOMEBODYS)).scalar_one():
            raise NotOurs(
                f"{database.url.rpartition('/')[2]} holds events and has no movable clock: it is not a demo's.\n"
                "  Unset BATON_DATABASE_URL, or name a server without Baton's databases. Nothing was changed."
            )
        for statement in INSTALL:
            await tx.execute(statement)


async def move(database: Database, clock: WorldClock) -> None:
    """Put one database on this clock."""
    async with transaction(database, "command") as tx:
        await tx.execute("set local synchronous_commit = off")  # a lost step of the clock is taken again
        values = {"base": clock.base, "start": clock.start, "speed": clock.speed}
        await tx.execute("update world_clock.setting set base = :base, start = :start, speed = :speed", values)


def write_file(file: Path, clock: WorldClock) -> None:
    """Put the processes on this clock: by rename, so that nobody reads half a file."""
    fresh = file.with_name(file.name + ".fresh")
    fresh.write_text(clock.to_json())
    fresh.replace(file)


@dataclass(slots=True)
class WorldClockHand:
    """Moves the world time of a whole stack: all its databases, then its file."""

    databases: Sequence[Database]
    file: Path
    clock: WorldClock = field(init=False)

    def __post_init__(self) -> None:
        if self.file.exists():
            self.clock = WorldClock.parse(self.file.read_text())
        else:
            started = machine_now()
            self.clock = WorldClock(base=started, start=started, speed=1)

    def now(self) -> datetime:
        """World time at this moment."""
        return self.clock.now()

    async def set(self, *, at: datetime | None = None, speed: float | None = None) -> datetime:
        """Go on from `at` (never earlier than now; None = now) at this speed (None = as before).

        Returns where the world is.
        """
        reached = self.now()
        base = reached if at is None else max(at, reached)
        self.clock = WorldClock(base=base, start=machine_now(), speed=self.clock.speed if speed is None else speed)
        await asyncio.gather(*(move(database, self.clock) for database in self.databases))
        write_file(self.file, self.clock)
        return base

    def nudge(self) -> None:
        """Wake whatever waits for the clock, at the same moment and speed."""
        reached = self.now()
        self.clock = WorldClock(base=reached, start=machine_now(), speed=self.clock.speed)
        write_file(self.file, self.clock)

    async def advance(self, by: timedelta) -> datetime:
        """Jump ahead by a span of world time, at the same speed afterwards."""
        return await self.set(at=self.now() + by)
