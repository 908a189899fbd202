"""Moves the world clock of test databases; the hand itself is the demo's."""

from datetime import datetime

import asyncpg

from deploy.demo.world_clock import WorldClockHand

__all__ = ["WorldClockHand", "set_world"]


async def set_world(database_url: str, *, at: datetime, speed: float = 0) -> None:
    """Put one cloned database at a moment of world time; it stands still there unless a speed is given.

    Unlike the hand this may go back: a clone is one test's own.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("update world_clock.setting set base = $1, start = now(), speed = $2", at, speed)
    finally:
        await connection.close()
