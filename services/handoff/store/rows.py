"""How many rows are written in one statement: as one JSON parameter, so that any batch size is the same statement.

And the rows of many tables: a round trip costs more than the rows that one unit of work brings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, BindParameter, ColumnElement, Result, Table, Uuid, any_, bindparam, text
from sqlalchemy.sql.elements import TextClause

from shared.db.engine import Tx

__all__ = ["Put", "Rows", "in_ids", "insert_rows", "plain_rows", "put_rows", "upsert_rows"]

Rows = list[dict[str, Any]]
# new: an existing key is an error; once: it is left as it is; whole: all its columns are overwritten.
How = Literal["new", "once", "whole"]


@dataclass(frozen=True, slots=True)
class Put:
    """Rows of one table, and what becomes of those whose key exists."""

    table: Table
    rows: Sequence[Mapping[str, Any]]
    how: How = "new"


def in_ids(column: Any, name: str = "ids") -> ColumnElement[bool]:  # noqa: ANN401 - any uuid column
    """`column = any(:ids)`: one statement whatever the number of ids."""
    ids: BindParameter[Sequence[UUID]] = bindparam(name, type_=ARRAY(Uuid))
    return column == any_(ids)  # type: ignore[no-any-return]  # SQLAlchemy types == as Any here


def plain_rows(result: Result[Any]) -> Rows:
    """A result's rows as plain mappings by column name."""
    return [{str(name): value for name, value in row.items()} for row in result.mappings()]


async def insert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], *, is_once: bool = False) -> None:
    """Insert rows in order; the identity column, if any, is drawn. is_once: a row whose key exists is left as it is."""
    await put_rows(tx, Put(table, rows, "once" if is_once else "new"))


async def upsert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or overwrite all columns of those whose primary key exists. The caller holds their locks."""
    await put_rows(tx, Put(table, rows, "whole"))


async def put_rows(tx: Tx, *puts: Put) -> None:
    """Write rows of several tables in one statement; none without rows.

    PostgreSQL runs the parts in an order of its own: no table twice, and nothing that another part must see or make
    room for. References between them are checked at the end of all.
    """
    wanted = [put for put in puts if put.rows]
    if wanted:
        parts = tuple((put.table, put.how) for put in wanted)
        await tx.execute(_statement(parts), {f"rows_{put.table.name}": _json(put.rows) for put in wanted})


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    # asyncpg has a UUID of its own, and column names of a read row are a kind of text of their own.
    return orjson.dumps([dict(row) for row in rows], default=str, option=orjson.OPT_NON_STR_KEYS).decode()


@cache
def _statement(parts: tuple[tuple[Table, How], ...]) -> TextClause:
    """One text for each set of tables that is written together; a service has some dozens of them."""
    *others, last = [_part(table, how) for table, how in parts]
    assert len({table.name for table, _ in parts}) == len(parts), "a row is written once in a statement"
    names = [f"put_{table.name}" for table, _ in parts]
    before = ", ".join(f"{name} as ({sql})" for name, sql in zip(names, others, strict=False))
    return text(f"with {before} {last}" if before else last)


def _part(table: Table, how: How) -> str:
    columns = [column.name for column in table.columns if column.identity is None]
    listed = ", ".join(f'"{name}"' for name in columns)
    sql = (
        f"insert into {table.name} ({listed}) select {listed}"  # noqa: S608 - names of our own tables
        f" from jsonb_populate_recordset(null::{table.name}, cast(:rows_{table.name} as jsonb))"
    )
    if how == "new":
        return sql
    if how == "once":
        return f"{sql} on conflict do nothing"
    keys = [column.name for column in table.primary_key.columns]
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    return f"{sql} on conflict ({', '.join(keys)}) do update set {updates}"
