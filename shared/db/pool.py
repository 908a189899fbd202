"""The connections of one database: as many at once as its size says, made when needed, never more, no overflow.

A connection is asked whether it lives by what it is wanted for: `begin` does nothing, so when it fails on a rested
connection a new one is made, and none of those that rested beside it is used again. What broke, is stale or old is
closed, not given out again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.clock import monotonic
from shared.db.connection import Connection

__all__ = ["Pool"]

_WAIT_SECONDS = 5
_RECYCLE_SECONDS = 1800
_RESTED_SECONDS = 1.0


class Pool:
    """Connections made by `make`, at most size at once; name stands in the errors."""

    def __init__(self, make: Callable[[], Awaitable[Connection]], *, name: str, size: int, isolation: str = "") -> None:
        self._make = make
        self._name = name
        self._size = size
        self._isolation = isolation
        self._room = asyncio.Semaphore(size)
        self._free: list[Connection] = []
        self._renewed_at = float("-inf")

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection without a transaction: each statement commits by itself."""
        given = await self._given(_probed_when_rested)
        try:
            yield given
        finally:
            await self.give_back(given)

    async def begun(self) -> Connection:
        """A connection whose transaction is open; the caller gives it back.

        Raises TimeoutError of SQLAlchemy when none became free in time, and what connecting raises.
        """
        return await self._given(self._begun)

    async def give_back(self, connection: Connection) -> None:
        """Take a connection back; what is not committed is rolled back."""
        try:
            if connection.is_usable and connection.is_begun:
                await connection.rollback()
        except Exception:  # noqa: BLE001, S110 - it is closed then, and the server rolls back
            pass
        except BaseException:
            connection.abandon()
            self._room.release()
            raise
        await self._put(connection)

    async def _put(self, connection: Connection) -> None:
        try:
            if connection.is_stale:
                self._renewed_at = monotonic()
            if connection.is_usable and not connection.is_begun and self._is_young(connection):
                connection.used_at = monotonic()
                self._free.append(connection)
            else:
                await connection.close()
        finally:
            self._room.release()

    async def close(self) -> None:
        """Close what rests, and what is in use when it comes back."""
        self._renewed_at = monotonic()
        while self._free:
            await self._free.pop().close()

    async def _given(self, ready: Callable[[Connection], Awaitable[None]]) -> Connection:
        await self._enter()
        try:
            while self._free:
                connection = self._free.pop()
                if await self._is_ready(connection, ready):
                    return connection
            connection = await self._make()
            try:
                await ready(connection)
            except BaseException:
                await connection.close()
                raise
        except BaseException:
            self._room.release()
            raise
        return connection

    async def _enter(self) -> None:
        if not self._room.locked():
            await self._room.acquire()  # does not wait
            return
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError as error:
            raise PoolTimeoutError(
                f"All {self._size} connections of {self._name} are in use; none came back in {_WAIT_SECONDS} s."
            ) from error

    async def _is_ready(self, connection: Connection, ready: Callable[[Connection], Awaitable[None]]) -> bool:
        """Make a rested connection ready; one that is old is closed, and one that is dead ends all that rest."""
        if connection.is_usable and not self._is_young(connection):
            await connection.close()
            return False
        try:
            if connection.is_usable:
                await ready(connection)
                return True
        except Exception:  # noqa: BLE001, S110 - whatever broke it, another one is tried
            pass
        except BaseException:
            await connection.close()
            raise
        self._renew()
        connection.abandon()
        return False

    def _renew(self) -> None:
        """Use none of today's connections again: what ended one has ended the others, each found out after seconds."""
        self._renewed_at = monotonic()
        while self._free:
            self._free.pop().abandon()

    def _is_young(self, connection: Connection) -> bool:
        return connection.born_at > self._renewed_at and monotonic() - connection.born_at < _RECYCLE_SECONDS

    async def _begun(self, connection: Connection) -> None:
        await connection.begin(self._isolation)


async def _probed_when_rested(connection: Connection) -> None:
    if monotonic() - connection.used_at >= _RESTED_SECONDS:
        await connection.probe()
