"""Tells the time: world time (what dates mean) and machine time (what keeps the machine going).

World time follows the affine clock of the file named by BATON_WORLD_CLOCK_FILE, when there is one (demo and tests
only), else it
is the host's clock. Inside a transaction world time is `tx.now`, read from PostgreSQL. This is the only module that
asks the host.
Invariant: world time never goes back while the file is only written by `deploy/demo/world_clock.py`.
"""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = [
    "LOOK_AT_CLOCK_SECONDS",
    "WORLD_CLOCK_VARIABLE",
    "WorldClock",
    "machine_now",
    "monotonic",
    "now",
    "sleep",
    "world_clock",
]

WORLD_CLOCK_VARIABLE = "BATON_WORLD_CLOCK_FILE"
# How often a waiting loop looks whether the world clock was moved: a step of the demo must not cost a second each.
LOOK_AT_CLOCK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class WorldClock:
    """One affine clock: world = base + (machine - start) * speed. The three values PostgreSQL and all processes share.

    base and start are aware UTC; speed >= 0, world seconds per machine second (0 = the world stands still).
    """

    base: datetime
    start: datetime
    speed: float

    def at(self, machine: datetime) -> datetime:
        """World time at a moment of machine time."""
        return self.base + timedelta(seconds=(machine - self.start).total_seconds() * self.speed)

    def now(self) -> datetime:
        """World time at this moment."""
        return self.at(machine_now())

    def to_json(self) -> str:
        """The text of the clock file; `parse` reads it back."""
        return json.dumps({"base": self.base.isoformat(), "start": self.start.isoformat(), "speed": self.speed})

    @classmethod
    def parse(cls, text: str) -> "WorldClock":
        """Read a clock file's text. Raises ValueError or KeyError when it is not one."""
        values = json.loads(text)
        return cls(
            base=datetime.fromisoformat(values["base"]),
            start=datetime.fromisoformat(values["start"]),
            speed=float(values["speed"]),
        )


class _ClockFile:
    """The world clock file, read again only when its identity on disk changed (it is replaced by rename)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: tuple[int, int] | None = None
        self.clock: WorldClock | None = None

    def read(self) -> WorldClock:
        status = self.path.stat()
        identity = (status.st_ino, status.st_mtime_ns)
        if self.clock is None or identity != self.seen:
            self.clock = WorldClock.parse(self.path.read_text())
            self.seen = identity
        return self.clock


_files: dict[str, _ClockFile] = {}


def world_clock() -> WorldClock | None:
    """The world clock in force, or None when world time is the host's time (production)."""
    name = os.environ.get(WORLD_CLOCK_VARIABLE)
    if not name:
        return None
    return _files.setdefault(name, _ClockFile(Path(name))).read()


def now() -> datetime:
    """World time, aware, UTC: what `occurred_at`, deadlines and calendars mean."""
    clock = world_clock()
    return machine_now() if clock is None else clock.now()


def machine_now() -> datetime:
    """The host's time, aware, UTC: for leases, tokens and sessions, never for what happened in the world."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds of machine time from an unknown start; only differences mean something."""
    return time.monotonic()


async def sleep(seconds: float) -> None:
    """Wait machine seconds (>= 0); for world time use the waiting of `shared.runtime`."""
    await asyncio.sleep(seconds)
