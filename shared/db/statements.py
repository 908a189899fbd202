"""Turns a statement into what the driver takes: SQL text, values in order, and how the columns of its rows are read.

SQLAlchemy Core writes the SQL, renders the casts and converts values; it is asked once a statement, and a plan is kept
for the next call. Runs nothing itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Executable, TextClause, UpdateBase, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType, TypeEngine

__all__ = ["DIALECT", "Described", "Parameters", "Plan", "planned", "planned_many"]

Parameters = Mapping[str, Any]
Described = tuple[tuple[str, int], ...]  # a result's columns: name and type's number

_NO_LISTS = frozenset({set, frozenset, type({}.keys()), type({}.values())})  # arrays to us, not to the driver
_SHAPES_MAX = 2_000  # the statements of a service are a few hundred; one made for one call must not stay for ever
DIALECT: Any = PGDialect_asyncpg(dbapi=PGDialect_asyncpg.import_dbapi())  # type: ignore[no-untyped-call]  # of its own


@dataclass(slots=True)
class Plan:
    """A statement as the driver takes it.

    defaults: values of literals, by name. to_driver: conversions of parameters. kinds: the columns' types, none for SQL
    text. described, metadata: of the result it had last.
    """

    sql: str
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    to_driver: Mapping[str, Callable[[Any], Any]]
    kinds: tuple[TypeEngine[Any], ...]
    described: Described = ()
    metadata: SimpleResultMetaData = field(default_factory=lambda: SimpleResultMetaData(()))

    def values(self, given: Parameters) -> tuple[Any, ...]:
        """The values in the driver's order. Raises KeyError for one that is missing."""
        if not self.to_driver and not self.defaults:
            values = [given[name] for name in self.names]
        else:
            values = [self._value(name, given) for name in self.names]
        return tuple([list(value) if type(value) in _NO_LISTS else value for value in values])

    def _value(self, name: str, given: Parameters) -> Any:  # noqa: ANN401 - what the column takes
        value = given[name] if name in given else self.defaults[name]
        process = self.to_driver.get(name)
        return value if process is None else process(value)

    def metadata_of(self, described: Described) -> SimpleResultMetaData:
        """Names and conversions of a result's columns."""
        if described is not self.described and described != self.described:
            pairs = zip(self.kinds, described, strict=False)
            processes = [kind.result_processor(DIALECT, number) for kind, (_, number) in pairs]
            names = [name for name, _ in described]
            self.metadata = SimpleResultMetaData(names, _processors=processes if any(processes) else None)
            self.described = described
        return self.metadata


# By the statement itself (a constant of its module), by SQL text, and by SQLAlchemy's key of what is built for a call.
_of_constants: WeakKeyDictionary[Executable, Plan] = WeakKeyDictionary()
_of_texts: dict[str, Plan] = {}
_of_shapes: dict[Any, tuple[SQLCompiler, Plan]] = {}
_seen: WeakKeyDictionary[Executable, bool] = WeakKeyDictionary()


def planned(statement: Executable | str, given: Parameters) -> tuple[Plan, tuple[Any, ...]]:
    """The statement's plan and the values in its order."""
    plan = _of_texts.get(statement) if isinstance(statement, str) else _of_constants.get(statement)
    if plan is not None:
        return plan, plan.values(given)
    if isinstance(statement, str):
        statement = _text(statement)
    if isinstance(statement, TextClause) and _is_untyped(statement):
        plan = _of_constants[statement] = _of_text(statement)
        return plan, plan.values(given)
    if isinstance(statement, UpdateBase) or statement not in _seen:
        _seen[statement] = True  # planned by itself when it comes a second time: what is made for a call does not
        return _of_call(statement, given)
    compiled = _compiled(statement, ())
    if compiled.post_compile_params:
        return _of_call(statement, given)
    plan = _of_constants[statement] = _made(compiled)
    return plan, plan.values(given)


def planned_many(statement: Executable | str, rows: Sequence[Parameters]) -> tuple[Plan, list[tuple[Any, ...]]]:
    """The plan and the values of each row (not empty, all with the same names)."""
    if isinstance(statement, str):
        statement = _text(statement)
    plan = _made(_compiled(statement, tuple(rows[0])))
    return plan, [plan.values(row) for row in rows]


@lru_cache(maxsize=_SHAPES_MAX)
def _text(sql: str) -> TextClause:
    return text(sql)


def _of_text(statement: TextClause) -> Plan:
    plan = _of_texts.get(statement.text)
    if plan is None:
        if len(_of_texts) >= _SHAPES_MAX:
            _of_texts.clear()
        plan = _of_texts[statement.text] = _made(_compiled(statement, ()))
    return plan


def _of_call(statement: Executable, given: Parameters) -> tuple[Plan, tuple[Any, ...]]:
    """By SQLAlchemy's key of the statement's shape: literals are taken from this statement, all else from the first."""
    columns = tuple(given) if isinstance(statement, UpdateBase) else ()
    key = statement._generate_cache_key()  # type: ignore[attr-defined]  # noqa: SLF001 - as its own engine does
    shape = None if key is None else (key.key, columns)
    known = _of_shapes.get(shape)
    if known is None:
        compiled = _compiled(statement, columns, key)
        known = compiled, _made(compiled)
        if shape is not None:
            if len(_of_shapes) >= _SHAPES_MAX:
                _of_shapes.clear()
            _of_shapes[shape] = known
    compiled, plan = known
    literals: Sequence[BindParameter[Any]] | None = None if key is None else key.bindparams
    params = compiled.construct_params(dict(given), extracted_parameters=literals)
    if not compiled.post_compile_params:
        return plan, plan.values(params)
    listed = compiled.construct_expanded_state(params)  # a list of this length, written out
    expanded = Plan(listed.statement, tuple(listed.positiontup or ()), {}, listed.processors, plan.kinds)
    return expanded, expanded.values(listed.parameters)


def _is_untyped(statement: TextClause) -> bool:
    binds = statement._bindparams.values()  # noqa: SLF001 - the only place that tells the types before compiling
    return all(isinstance(bind.type, NullType) and bind.required for bind in binds)


def _compiled(statement: Executable, columns: tuple[str, ...], key: Any = None) -> SQLCompiler:  # noqa: ANN401 - its own
    compiled = statement._compiler(  # type: ignore[attr-defined]  # noqa: SLF001 - compile() takes no cache key
        DIALECT, column_keys=list(columns) or None, cache_key=key
    )
    return cast("SQLCompiler", compiled)


def _made(compiled: SQLCompiler) -> Plan:
    names = tuple(compiled.positiontup or ())
    to_driver = {
        name: process
        for name in names
        if (process := compiled.binds[name].type.dialect_impl(DIALECT).bind_processor(DIALECT)) is not None
    }
    columns = compiled._result_columns  # noqa: SLF001 - empty for SQL text
    kinds = tuple(column.type.dialect_impl(DIALECT) for column in columns)
    defaults = {name: compiled.binds[name].value for name in names if not compiled.binds[name].required}
    return Plan(compiled.string, names, defaults, to_driver, kinds)
