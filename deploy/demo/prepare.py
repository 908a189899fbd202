"""Prepares a stack whose world time can be moved: what every stack needs, then the movable clock in each database.

The clock starts where BATON_WORLD_CLOCK_START says (else at the host's time), standing still when
BATON_WORLD_CLOCK_SPEED is 0. A stack that is started again goes on from its clock file.
"""

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path

from deploy.demo.world_clock import install, move, write_file
from deploy.local import prepare
from shared.clock import WORLD_CLOCK_VARIABLE, WorldClock, machine_now
from shared.db.engine import Database

__all__ = ["main"]


async def main() -> dict[str, object]:
    """Databases, topics, clocks; what was reached."""
    reached = await prepare.main("")
    file = Path(os.environ[WORLD_CLOCK_VARIABLE])
    clock = _clock_of(file)
    for url in prepare.database_urls().values():
        database = Database(url, pool_size=1, application_name="baton-world-clock")
        try:
            await install(database)
            await move(database, clock)
        finally:
            await database.close()
    write_file(file, clock)
    return reached


def _clock_of(file: Path) -> WorldClock:
    if file.exists():
        return WorldClock.parse(file.read_text())
    started = machine_now()
    named = os.environ.get("BATON_WORLD_CLOCK_START")
    base = datetime.fromisoformat(named) if named else started
    return WorldClock(base=base, start=started, speed=float(os.environ.get("BATON_WORLD_CLOCK_SPEED", "1")))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
