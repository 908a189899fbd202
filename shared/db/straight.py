"""Carries a known statement straight to the driver's cursor, past what SQLAlchemy builds anew for every call.

SQLAlchemy still writes the SQL, renders the casts, and owns connection, transaction and errors: only the call is
shorter (a third of the CPU; a unit of work has dozens). What it cannot carry goes SQLAlchemy's own way: changes and
lists built in Core, and Core statements made for one call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, CursorResult, Dialect, Executable, Select, TextClause, text
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType, TypeEngine

__all__ = ["run"]

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

_TEXTS_MAX = 2_000  # the SQL texts of a service are a few hundred; a text made for one call must not stay for ever


@dataclass(slots=True)
class _Plan:
    """A statement as the driver takes it.

    defaults: values of literals, by name. to_driver: conversions of parameters. kinds: the columns' types, none for SQL
    text. columns, metadata: of the result it had last.
    """

    sql: str
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    to_driver: Mapping[str, Callable[[Any], Any]]
    kinds: tuple[TypeEngine[Any], ...]
    columns: tuple[str, ...] = ()
    metadata: SimpleResultMetaData = field(default_factory=lambda: SimpleResultMetaData(()))


class _Rows(IteratorResult[Any]):
    """Buffered rows, with the number of rows a change touched."""

    rowcount: int = -1


_of_texts: dict[str, _Plan] = {}
# A Core statement, or a text with types, that is a constant of its module is seen again; one made for a call is not.
_of_constants: WeakKeyDictionary[Executable, _Plan | None] = WeakKeyDictionary()


async def run(
    connection: AsyncConnection, statement: Executable | str, parameters: Parameters = None
) -> CursorResult[Any]:
    """Run one statement and return its buffered result; errors are the same whichever way it went."""
    if isinstance(statement, str):
        statement = _text(statement)
    plan = _plan_of(statement, connection.dialect) if parameters is None or isinstance(parameters, Mapping) else None
    if plan is None:
        return cast("CursorResult[Any]", await connection.execute(statement, parameters))
    given = cast("Mapping[str, Any]", parameters or {})
    values = tuple(_value(plan, name, given) for name in plan.names)
    # A result with rows and a rowcount is all that callers use of a CursorResult.
    return cast("CursorResult[Any]", await _carry_out(connection, plan, values))


@lru_cache(maxsize=_TEXTS_MAX)
def _text(sql: str) -> TextClause:
    return text(sql)


def _plan_of(statement: Executable, dialect: Dialect) -> _Plan | None:
    """The statement's plan; None when it goes SQLAlchemy's own way."""
    if isinstance(statement, TextClause) and _is_untyped(statement):
        plan = _of_texts.get(statement.text)
        if plan is None:
            if len(_of_texts) >= _TEXTS_MAX:
                _of_texts.clear()
            plan = _of_texts[statement.text] = _made(statement, dialect)
        return plan
    if not isinstance(statement, TextClause | Select):
        return None
    if statement not in _of_constants:
        _of_constants[statement] = None  # planned when it comes a second time
        return None
    plan = _of_constants[statement]
    if plan is None:
        plan = _of_constants[statement] = _made(statement, dialect)
    return plan


def _is_untyped(statement: TextClause) -> bool:
    binds = statement._bindparams.values()  # noqa: SLF001 - the only place that tells the types before compiling
    return all(isinstance(bind.type, NullType) and bind.required for bind in binds)


def _made(statement: TextClause | Select[Any], dialect: Dialect) -> _Plan:
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    assert not compiled.post_compile_params, "a list expanded in SQL has another text each time: use any(:ids)"
    names = tuple(compiled.positiontup or ())
    to_driver = {
        name: process
        for name in names
        if (process := compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) is not None
    }
    columns = statement.selected_columns if isinstance(statement, Select) else ()
    kinds = tuple(column.type.dialect_impl(dialect) for column in columns)
    defaults = {name: compiled.binds[name].value for name in names if not compiled.binds[name].required}
    return _Plan(compiled.string, names, defaults, to_driver, kinds)


def _value(plan: _Plan, name: str, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what the column takes
    value = given[name] if name in given else plan.defaults[name]
    process = plan.to_driver.get(name)
    return value if process is None else process(value)


async def _carry_out(connection: AsyncConnection, plan: _Plan, values: tuple[Any, ...]) -> _Rows:
    ours = connection.sync_connection
    assert ours is not None, "a connection in use is open"
    if not ours.in_transaction():
        ours.begin()  # sends nothing: the driver's connection begins with its first statement
    dialect: Any = connection.dialect
    cursor: Any = ours.connection.dbapi_connection.cursor()  # type: ignore[union-attr]  # None only after its end
    cursor._invalidate_schema_cache_asof = dialect._invalidate_schema_cache_asof  # noqa: SLF001
    try:
        await cursor._prepare_and_execute(plan.sql, values)  # noqa: SLF001 - execute() is this, and a greenlet
    except BaseException as error:  # noqa: BLE001 - raised again by what is called
        await connection.run_sync(_fail, error, plan.sql, cursor)
    columns = tuple(each[0] for each in cursor.description or ())
    if columns != plan.columns:
        plan.metadata, plan.columns = _metadata(plan, cursor.description or (), dialect), columns
    rows = _Rows(plan.metadata, iter(cursor.fetchall() if columns else ()))
    rows.rowcount = cursor.rowcount
    return rows


def _metadata(plan: _Plan, description: Sequence[Sequence[Any]], dialect: Dialect) -> SimpleResultMetaData:
    """Names and conversions of a result's columns. description: of the driver's cursor, name and type first."""
    names = [each[0] for each in description]
    processes = [kind.result_processor(dialect, each[1]) for kind, each in zip(plan.kinds, description, strict=False)]
    return SimpleResultMetaData(names, _processors=processes if any(processes) else None)


def _fail(connection: Connection, error: BaseException, sql: str, cursor: Any) -> None:  # noqa: ANN401 - the dialect's
    """Wrap what the driver raised, and give a broken or abandoned connection up: as in SQLAlchemy's own way."""
    dialect: Any = connection.dialect
    driver = dialect.loaded_dbapi
    if isinstance(error, (driver.InvalidCachedStatementError, driver.InternalServerError)):
        dialect._invalidate_schema_cache()  # noqa: SLF001 - a table changed: every statement is prepared anew
    is_drivers = isinstance(error, driver.Error)
    try:
        raise error  # noqa: TRY301 - the next line reads the one in flight
    except BaseException:  # noqa: BLE001 - and raises it again
        connection._handle_dbapi_exception(error, sql if is_drivers else None, None, cursor, None)  # noqa: SLF001
