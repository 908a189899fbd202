"""Owns the connections of a service and the only commit of the code base.

`transaction()` begins, hands out a `Tx`, writes the pending events to the outbox last (so their order is the commit
order of the locked rows), announces its failpoints and commits. Services never see a connection. Every wait has a
bound, set here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal, cast

import orjson
from sqlalchemy import CursorResult, Executable, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shared.clock import monotonic
from shared.contracts.envelope import Event
from shared.db.outbox_rows import write_outbox
from shared.db.straight import run
from shared.telemetry import Step, announce

__all__ = [
    "DATABASE_ERRORS",
    "Database",
    "ReadTx",
    "TransactionName",
    "Tx",
    "Workload",
    "driver_url",
    "is_transient",
    "is_unstorable",
    "reading",
    "transaction",
]

TransactionName = Literal[
    "batch", "park", "park:replay", "batch_start", "command", "clocks", "dispatch", "periodic", "rechecks", "tuner"
]
Workload = Literal["api", "worker"]

_CONNECT_SECONDS = 5
_POOL_WAIT_SECONDS = 5
_RECYCLE_SECONDS = 1800
_RESTED_SECONDS = 1.0
# A dead socket has no deadline of its own: without these an outage holds a connection for ever (RELIABILITY 2).
_COMMAND_SECONDS: dict[Workload, int] = {"api": 10, "worker": 35}
_STATEMENT_TIMEOUT: dict[Workload, str] = {"api": "2s", "worker": "30s"}
_SESSION = {
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
}
# What a lost or busy database raises, for code that can go on without its answer.
DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, OSError, TimeoutError)
# serialisation, deadlock, lock not available, shut down and crash, connection lost: the same work again is right.
_NUL_STATES = ("22021", "22P05")  # in a text; in a JSON document
_TRANSIENT_STATES = ("40001", "40P01", "55P03", "57P", "08", "53", "25P03")


def driver_url(url: str) -> str:
    """The asyncpg form of a postgresql:// URL."""
    head, _, tail = url.partition("://")
    if head not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError("A database URL begins with postgresql://")
    return f"postgresql+asyncpg://{tail}"


class Database:
    """One pool of connections to one database; pool_size is the concurrency, there is no overflow.

    workload "api" has 2 s per statement, "worker" 30 s.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        application_name: str = "baton",
        workload: Workload = "worker",
        outbox_written: asyncio.Event | None = None,
    ) -> None:
        self.url = url
        self.pool_size = pool_size
        self.engine: AsyncEngine = create_async_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_POOL_WAIT_SECONDS,
            pool_recycle=_RECYCLE_SECONDS,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # an error text would carry them into logs
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "command_timeout": _COMMAND_SECONDS[workload],
                "server_settings": {
                    **_SESSION,
                    "application_name": application_name,
                    "statement_timeout": _STATEMENT_TIMEOUT[workload],
                },
            },
        )
        _ping_rested(self.engine)
        # Woken after every commit that wrote outbox rows; the relay of this process waits on it.
        self.outbox_written = outbox_written or asyncio.Event()

    async def close(self) -> None:
        """Close all connections; doing it twice is fine."""
        await self.engine.dispose()


def _ping_rested(engine: AsyncEngine) -> None:
    """Ask a connection that rested whether it still lives, before it is used; a dead one is replaced.

    The pool's own pre-ping asks before every transaction, three round trips each, also one that was used a moment ago.
    One that breaks within that moment fails its statement, which is transient like every lost connection.
    """

    def note_use(_: object, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = monotonic()

    def ping(connection: Any, record: ConnectionPoolEntry, _: object) -> None:  # noqa: ANN401 - the dialect's own class
        if monotonic() - record.info.get("used_at", 0.0) < _RESTED_SECONDS:
            return
        try:
            connection.ping()
        except (engine.sync_engine.dialect.loaded_dbapi.Error, OSError, TimeoutError) as error:
            raise DisconnectionError from error

    event.listen(engine.sync_engine, "checkin", note_use)
    event.listen(engine.sync_engine, "checkout", ping)


class ReadTx:
    """A view of the database: statements that read. `now` is world time, one value for the whole transaction."""

    def __init__(self, connection: AsyncConnection, *, now: datetime) -> None:
        self.connection = connection
        self.now = now

    async def execute(
        self, statement: Executable | str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run one statement (SQLAlchemy Core, or SQL text with :names) and return its buffered result."""
        return await run(self.connection, statement, parameters)


class Tx(ReadTx):
    """A transaction that may write. `pending` are events that leave with the commit, in this order."""

    def __init__(self, connection: AsyncConnection, *, now: datetime) -> None:
        super().__init__(connection, now=now)
        self.pending: list[Event[Any]] = []
        self.after_commit: list[Callable[[], None]] = []


_NOW = "select baton_now()"


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[ReadTx]:
    """A read-only transaction; rolled back at the end."""
    async with database.engine.connect() as connection:
        yield ReadTx(connection, now=(await run(connection, _NOW)).scalar_one())


@asynccontextmanager
async def transaction(database: Database, name: TransactionName) -> AsyncIterator[Tx]:
    """The only commit: all or nothing of what the body did, with its pending events in the outbox.

    Announces `<name>:before_commit` and `<name>:after_commit`. An exception of the body rolls back and goes on. A
    cancellation or a broken connection during the commit leaves its result unknown: ask by id (progress, idempotency
    key), or repeat.
    """
    async with database.engine.connect() as connection:
        tx = Tx(connection, now=(await run(connection, _NOW)).scalar_one())
        yield tx
        wrote = await write_outbox(connection, tx.pending)
        if name == "batch":
            await announce("batch:after_outbox")
        await announce(_step(name, "before_commit"))
        await connection.commit()
        await announce(_step(name, "after_commit"))
    if wrote:
        database.outbox_written.set()
    for call in tx.after_commit:
        call()


def _step(name: TransactionName, moment: str) -> Step:
    return cast("Step", f"{name}_{moment}" if ":" in name else f"{name}:{moment}")


def is_unstorable(error: BaseException) -> bool:
    """Whether a text was sent that PostgreSQL keeps in no column: it holds the character NUL."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _NUL_STATES


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
