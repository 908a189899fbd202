"""Advisory locks of a session: who leads, and who owns an instance id.

Membership is for speed; the fence stays the truth.

The lock lives on a connection of its own, outside the pool, which is asked every second whether it still stands.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from shared.clock import sleep
from shared.db.connection import Connection
from shared.db.engine import Database, Tx

__all__ = ["LockNotGot", "SessionLock", "session_lock", "try_lock"]

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5.0
RETRY_SECONDS = 0.2
_TRY = text("select pg_try_advisory_lock(hashtextextended(:name, 0))")
_TRY_IN_TX = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_ALIVE = text("select 1")


class LockNotGot(Exception):
    """Somebody else holds the lock."""


class SessionLock:
    """A lock that is held; `lost()` returns when it no longer is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lost(self, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """Return when the session broke: somebody else may hold the lock now. Runs until then (cancel it to end).

        What gives no answer in time is dropped: a server that only stood still would go on holding the lock for us.
        """
        while True:
            try:
                async with asyncio.timeout(answer_seconds):
                    await self._connection.execute(_ALIVE)
            except Exception:  # noqa: BLE001 - whatever broke it, it is broken
                self._connection.abandon()
                return
            await sleep(LOOK_SECONDS)


async def try_lock(tx: Tx, name: str) -> bool:
    """Take a named lock until the transaction's end, without waiting; False when somebody else has it."""
    return bool((await tx.execute(_TRY_IN_TX, {"name": name})).scalar_one())


@asynccontextmanager
async def session_lock(database: Database, name: str, *, wait_seconds: float | None) -> AsyncIterator[SessionLock]:
    """Hold a named lock for the body. Raises LockNotGot after wait_seconds (None: waits for ever)."""
    connection = await database.connect_apart(f"baton-lock {name}")
    try:
        loop = asyncio.get_running_loop()
        until = None if wait_seconds is None else loop.time() + wait_seconds
        while not (await connection.execute(_TRY, {"name": name})).scalar_one():
            if until is not None and loop.time() >= until:
                raise LockNotGot(name)
            await sleep(RETRY_SECONDS)
        yield SessionLock(connection)
    finally:
        await connection.close()
