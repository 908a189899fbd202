"""One session of PostgreSQL, used by one unit of work at a time: statements, begin, commit, savepoints.

Goes straight to the driver, without SQLAlchemy's connection and its greenlets (a fifth of the CPU of an empty
transaction); what the driver raises is told in SQLAlchemy's words, as everywhere. A session whose statement was cut
off, or that a server ended, is broken and never used again.
"""

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NoReturn, cast

import asyncpg
import orjson
from asyncpg.protocol import protocol
from sqlalchemy import CursorResult, Executable
from sqlalchemy.engine import IteratorResult
from sqlalchemy.exc import DBAPIError

from shared.clock import monotonic
from shared.db.statements import DIALECT, Described, Plan, planned, planned_many

__all__ = ["Connection", "connect"]

_CONNECT_SECONDS = 5
_BEGIN_SECONDS = 5  # a server that does not even begin: another connection is tried
_CLOSE_SECONDS = 2
_PREPARED_MOST = 400  # above what a service runs, so that none is prepared twice; each costs the server some kB
_NOW = "select baton_now()"
_TOUCHED = re.compile(r"(?:SELECT|UPDATE|DELETE|MERGE|INSERT \d+) (\d+)")
_DRIVER = DIALECT.loaded_dbapi
_KINDS: Mapping[type[BaseException], type[Exception]] = _DRIVER._asyncpg_error_translate  # noqa: SLF001 - the only table
# A table changed under what was prepared: everything is prepared anew.
_STALE = (
    asyncpg.exceptions.InvalidCachedStatementError,
    asyncpg.exceptions.OutdatedSchemaCacheError,
    asyncpg.exceptions.InternalServerError,
)

# Of each element of an array the driver asks abstract classes whether it is an array too: more than half of what the
# element costs, and a batch has thousands. Ours come as lists (`statements` sees to it) or tuples.
protocol.IterableABC = protocol.SizedABC = (list, tuple)


class _Rows(IteratorResult[Any]):
    """Buffered rows, with the number of rows a change touched."""

    rowcount: int = -1


class Connection:
    """A session; `is_usable` says whether it may carry another unit of work."""

    def __init__(self, driver: Any) -> None:  # noqa: ANN401 - the driver has no types
        self._driver = driver
        self._prepared: OrderedDict[str, tuple[Any, Described]] = OrderedDict()
        self._depth = 0
        self.born_at = self.used_at = monotonic()
        self.is_cut_off = False
        self.is_stale = False

    @property
    def is_usable(self) -> bool:
        """Whether the session stands and knows the tables as they are."""
        return not (self.is_cut_off or self.is_stale or self._driver.is_closed())

    @property
    def is_begun(self) -> bool:
        """Whether a transaction is open, as the server says."""
        return bool(self._driver.is_in_transaction())

    async def execute(
        self, statement: Executable | str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run one statement and return its buffered result. Outside a transaction it commits by itself."""
        if parameters is None or isinstance(parameters, Mapping):
            plan, values = planned(statement, parameters or {})
            # A result with rows and a rowcount is all that callers use of a CursorResult.
            return cast("CursorResult[Any]", await self._run(plan, values))
        many, rows = planned_many(statement, parameters)
        await self._command(self._driver.executemany(many.sql, rows), many.sql)
        return cast("CursorResult[Any]", _Rows(many.metadata_of(()), iter(())))

    async def now(self) -> datetime:
        """World time of the open transaction."""
        ((now,),), _, _ = await self._fetched(_NOW, ())
        return cast("datetime", now)

    async def begin(self, isolation: str = "") -> None:
        """Open a transaction."""
        sql = f"begin isolation level {isolation}" if isolation else "begin"
        await self._command(self._driver.execute(sql, timeout=_BEGIN_SECONDS), sql)

    async def commit(self) -> None:
        """Commit. Raises when the transaction had failed before: PostgreSQL itself only says that it rolled back."""
        end = await self._command(self._driver.execute("commit"), "commit")
        if end != "COMMIT":
            error = asyncpg.InFailedSQLTransactionError("A statement before had failed.")
            raise _told(error, "commit", is_closed=False) from error

    async def rollback(self) -> None:
        """Give up what the transaction did."""
        await self._command(self._driver.execute("rollback", timeout=_BEGIN_SECONDS), "rollback")

    async def probe(self) -> None:
        """Ask whether the session still stands. Raises when it does not."""
        await self._command(self._driver.execute("", timeout=_BEGIN_SECONDS), "")

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        """A savepoint: what the body did is undone when it raises, the transaction stays open."""
        self._depth += 1
        name = f"inner_{self._depth}"
        await self._command(self._driver.execute(f"savepoint {name}"), "savepoint")
        try:
            yield
        except BaseException:
            if self.is_usable:
                await self._command(self._driver.execute(f"rollback to savepoint {name}"), "rollback to savepoint")
            raise
        else:
            await self._command(self._driver.execute(f"release savepoint {name}"), "release savepoint")
        finally:
            self._depth -= 1

    async def close(self) -> None:
        """End the session, at once when it does not end by itself; doing it twice is fine."""
        try:
            await self._driver.close(timeout=_CLOSE_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            self.abandon()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Drop the session without a word; the server rolls back."""
        self.is_cut_off = True
        self._driver.terminate()

    async def _run(self, plan: Plan, values: tuple[Any, ...]) -> _Rows:
        records, described, status = await self._fetched(plan.sql, values)
        rows = _Rows(plan.metadata_of(described), iter(records))
        touched = _TOUCHED.match(status)
        if touched is not None:
            rows.rowcount = int(touched[1])
        return rows

    async def _fetched(self, sql: str, values: tuple[Any, ...]) -> tuple[Sequence[Any], Described, str]:
        """The driver's records, their columns, and what the server says of the statement."""
        try:
            known = self._prepared.get(sql)
            statement, described = await self._prepare(sql) if known is None else known
            records = await statement.fetch(*values)
        except BaseException as error:  # noqa: BLE001 - raised again, in other words
            self._raise(error, sql)
        self._prepared.move_to_end(sql)
        return records, described, statement.get_statusmsg() or ""

    async def _prepare(self, sql: str) -> tuple[Any, Described]:
        statement = await self._driver.prepare(sql)
        described = tuple((column.name, column.type.oid) for column in statement.get_attributes())
        self._prepared[sql] = statement, described
        if len(self._prepared) > _PREPARED_MOST:
            self._prepared.popitem(last=False)
        return statement, described

    async def _command(self, call: Any, sql: str) -> str:  # noqa: ANN401 - the driver's coroutine
        try:
            return cast("str", await call)
        except BaseException as error:  # noqa: BLE001 - raised again, in other words
            self._raise(error, sql)

    def _raise(self, error: BaseException, sql: str) -> NoReturn:
        told = self._failure(error, sql)
        if told is error:
            raise error
        raise told from error

    def _failure(self, error: BaseException, sql: str) -> BaseException:
        if isinstance(error, _STALE):
            self.is_stale = True
        elif not isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError)):
            self.is_cut_off = True  # a deadline or a cancellation: what the server still sends belongs to nobody
        return _told(error, sql, is_closed=self._driver.is_closed())


def _told(error: BaseException, sql: str, *, is_closed: bool) -> BaseException:
    """The error in SQLAlchemy's words; what is none of the driver's is itself."""
    kind = next((_KINDS[one] for one in type(error).__mro__ if one in _KINDS), None)
    if kind is None:
        return error
    return DBAPIError.instance(
        sql,
        None,
        kind(error.args[0] if error.args else type(error).__name__, error),  # its text has details: values of rows
        _DRIVER.Error,
        hide_parameters=True,  # an error text would carry them into logs
        connection_invalidated=is_closed,
        dialect=DIALECT,
    )


async def connect(
    address: str, *, settings: Mapping[str, str], command_seconds: float, connect_seconds: float = _CONNECT_SECONDS
) -> Connection:
    """A new session at a postgresql:// address. Raises what `execute` raises, OSError and TimeoutError."""
    try:
        driver = await asyncpg.connect(
            address,
            timeout=connect_seconds,
            command_timeout=command_seconds,
            # The driver's own cache stays on, though unused: without it what is prepared gets no name.
            server_settings=dict(settings),
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _told(error, "connect", is_closed=True) from error
    try:
        await _set_codecs(driver)
    except BaseException:
        driver.terminate()
        raise
    return Connection(driver)


async def _set_codecs(driver: Any) -> None:  # noqa: ANN401 - the driver has no types
    """JSON goes as text and comes as values; 1 is the version byte of PostgreSQL's jsonb."""
    own = {"schema": "pg_catalog", "format": "binary"}
    await driver.set_type_codec("json", encoder=str.encode, decoder=orjson.loads, **own)
    await driver.set_type_codec(
        "jsonb", encoder=lambda value: b"\x01" + value.encode(), decoder=lambda value: orjson.loads(value[1:]), **own
    )
