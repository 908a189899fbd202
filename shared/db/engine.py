"""Owns the connections of a service and the only commit of the code base.

`transaction()` begins, hands out a `Tx`, writes the pending events to the outbox last (so their order is the commit
order of the locked rows), announces its failpoints and commits. Services never see a connection. Every wait has a
bound, set here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, cast

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from shared.contracts.envelope import Event
from shared.db.connection import Connection, connect
from shared.db.outbox_rows import write_outbox
from shared.db.pool import Pool
from shared.errors import AppError
from shared.telemetry import Step, announce

__all__ = [
    "DATABASE_ERRORS",
    "Database",
    "ReadTx",
    "TransactionName",
    "Tx",
    "Workload",
    "driver_url",
    "is_retryable",
    "is_transient",
    "is_unstorable",
    "read_whole_tables",
    "reading",
    "transaction",
]

TransactionName = Literal[
    "batch", "park", "park:replay", "batch_start", "command", "clocks", "dispatch", "periodic", "rechecks", "tuner"
]
Workload = Literal["api", "worker"]

# A dead socket has no deadline of its own: without these an outage holds a connection for ever (RELIABILITY 2).
_COMMAND_SECONDS: dict[Workload, int] = {"api": 10, "worker": 35}
_STATEMENT_TIMEOUT: dict[Workload, str] = {"api": "2s", "worker": "30s"}
# Workers look rows up by key all day. A plan made while a table was empty would read it whole until it is analysed, a
# minute and some ten thousand rows later; off is a price, not a ban: what has no index is still read.
_PLANS: dict[Workload, dict[str, str]] = {"api": {}, "worker": {"enable_seqscan": "off"}}
_READ_WHOLE = "set local enable_seqscan = on"
_APART_SECONDS = 10
# The server finds a dead host in half a minute, and gives its locks free.
_DEAD_HOST = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
_SESSION = {
    **_DEAD_HOST,
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    # Ours are short statements: compiling one costs more than it saves. The price above would have each compiled that
    # must read a table whole.
    "jit": "off",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
}
# What a lost or busy database raises, for code that can go on without its answer.
DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, OSError, TimeoutError)
# serialisation, deadlock, lock not available, shut down and crash, connection lost: the same work again is right.
_NUL_STATES = ("22021", "22P05")  # in a text; in a JSON document
_TRANSIENT_STATES = ("40001", "40P01", "55P03", "57P", "08", "53", "25P03")


def driver_url(url: str) -> str:
    """The form of a postgresql:// URL that SQLAlchemy's own engine takes."""
    return f"postgresql+asyncpg://{_address_of(url)}"


def _address_of(url: str) -> str:
    head, _, tail = url.partition("://")
    if head not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError("A database URL begins with postgresql://")
    return tail


class Database:
    """One pool of connections to one database; pool_size is the concurrency, there is no overflow.

    workload "api" has 2 s per statement, "worker" 30 s. isolation: of its transactions, if not read committed.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        application_name: str = "baton",
        workload: Workload = "worker",
        outbox_written: asyncio.Event | None = None,
        isolation: Literal["", "repeatable read"] = "",
    ) -> None:
        self.url = url
        self.pool_size = pool_size
        self._workload: Workload = workload
        self._settings = {
            **_SESSION,
            **_PLANS[workload],
            "application_name": application_name,
            "statement_timeout": _STATEMENT_TIMEOUT[workload],
        }
        self._address = f"postgresql://{_address_of(url)}"
        self.pool = Pool(self._connect, name=application_name, size=pool_size, isolation=isolation)
        # Woken after every commit that wrote outbox rows; the relay of this process waits on it.
        self.outbox_written = outbox_written or asyncio.Event()

    async def _connect(self) -> Connection:
        return await connect(self._address, settings=self._settings, command_seconds=_COMMAND_SECONDS[self._workload])

    async def connect_apart(self, application_name: str) -> Connection:
        """A connection outside the pool, for what lives longer than a unit of work; the caller closes it."""
        settings = {**_DEAD_HOST, "application_name": application_name[:63]}
        return await connect(self._address, settings=settings, command_seconds=_APART_SECONDS)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for single statements, each of which commits by itself: of the runtime's own tables alone."""
        return self.pool.connection()

    @cached_property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's own engine, for what looks at a schema through it, and for tests; nothing rests in it."""
        return create_async_engine(driver_url(self.url), poolclass=NullPool, hide_parameters=True)

    async def close(self) -> None:
        """Close all connections; doing it twice is fine."""
        await self.pool.close()


class ReadTx:
    """A view of the database: statements that read. `now` is world time, one value for the whole transaction."""

    def __init__(self, connection: Connection, *, now: datetime) -> None:
        self.connection = connection
        self.now = now

    async def execute(
        self, statement: Executable | str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run one statement (SQLAlchemy Core, or SQL text with :names) and return its buffered result."""
        return await self.connection.execute(statement, parameters)


class Tx(ReadTx):
    """A transaction that may write. `pending` are events that leave with the commit, in this order."""

    def __init__(self, connection: Connection, *, now: datetime) -> None:
        super().__init__(connection, now=now)
        self.pending: list[Event[Any]] = []
        self.after_commit: list[Callable[[], None]] = []


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[ReadTx]:
    """A read-only transaction; rolled back at the end."""
    connection = await database.pool.begun()
    try:
        yield ReadTx(connection, now=await connection.now())
    finally:
        await database.pool.give_back(connection)


@asynccontextmanager
async def transaction(
    database: Database,
    name: TransactionName,
    *,
    first: Callable[[Connection], Awaitable[datetime]] = Connection.now,
) -> AsyncIterator[Tx]:
    """The only commit: all or nothing of what the body did, with its pending events in the outbox.

    first is the transaction's first statement, which also says what time it is. Announces `<name>:before_commit` and
    `<name>:after_commit`. An exception of the body rolls back and goes on. A cancellation or a broken connection
    during the commit leaves its result unknown: ask by id (progress, idempotency key), or repeat.
    """
    connection = await database.pool.begun()
    try:
        tx = Tx(connection, now=await first(connection))
        yield tx
        wrote = await write_outbox(connection, tx.pending)
        if name == "batch":
            await announce("batch:after_outbox")
        await announce(_step(name, "before_commit"))
        await connection.commit()
        await announce(_step(name, "after_commit"))
    finally:
        await database.pool.give_back(connection)
    if wrote:
        database.outbox_written.set()
    for call in tx.after_commit:
        call()


async def read_whole_tables(tx: ReadTx) -> None:
    """Let the rest of a worker's transaction read tables whole at their real price: it asks of most rows."""
    await tx.execute(_READ_WHOLE)


def _step(name: TransactionName, moment: str) -> Step:
    return cast("Step", f"{name}_{moment}" if ":" in name else f"{name}:{moment}")


def is_unstorable(error: BaseException) -> bool:
    """Whether a text was sent that PostgreSQL keeps in no column: it holds the character NUL."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _NUL_STATES


def is_retryable(error: BaseException) -> bool:
    """Whether the same work again may succeed, by what failed below or by the word of our own error.

    A group is when all in it are: one failure of ours among them is ours.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_retryable, error.exceptions))
    return is_transient(error) or (isinstance(error, AppError) and error.retryable)


def is_transient(error: BaseException) -> bool:
    """Whether the same unit of work again may succeed: the database or the network failed, not the data.

    A group is when all in it are.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_transient, error.exceptions))
    if isinstance(error, (TimeoutError, OSError, InterfaceError, PoolTimeoutError)):
        return True
    if isinstance(error, DBAPIError):
        # A table changed under a prepared statement, as a migration beside the running release does: it is made anew.
        if error.connection_invalidated or isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
            return True
        state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
        return state is not None and str(state).startswith(_TRANSIENT_STATES)
    return False
