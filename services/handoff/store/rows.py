"""How many rows are written in one statement: as one JSON parameter, so that any batch size is the same statement."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, BindParameter, ColumnElement, Result, Table, Uuid, any_, bindparam, text
from sqlalchemy.sql.elements import TextClause

from shared.db.engine import Tx

__all__ = ["Rows", "in_ids", "insert_rows", "plain_rows", "upsert_rows"]

Rows = list[dict[str, Any]]


def in_ids(column: Any, name: str = "ids") -> ColumnElement[bool]:  # noqa: ANN401 - any uuid column
    """`column = any(:ids)`: one statement whatever the number of ids."""
    ids: BindParameter[Sequence[UUID]] = bindparam(name, type_=ARRAY(Uuid))
    return column == any_(ids)  # type: ignore[no-any-return]  # SQLAlchemy types == as Any here


def plain_rows(result: Result[Any]) -> Rows:
    """A result's rows as plain mappings by column name."""
    return [{str(name): value for name, value in row.items()} for row in result.mappings()]


async def insert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], *, is_once: bool = False) -> None:
    """Insert rows in order; the identity column, if any, is drawn. is_once: a row whose key exists is left as it is."""
    if rows:
        await tx.execute(_statement(table, is_once=is_once, is_upsert=False), {"rows": _json(rows)})


async def upsert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or overwrite all columns of those whose primary key exists. The caller holds their locks."""
    if rows:
        await tx.execute(_statement(table, is_once=False, is_upsert=True), {"rows": _json(rows)})


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    # asyncpg has a UUID of its own, and column names of a read row are a kind of text of their own.
    return orjson.dumps([dict(row) for row in rows], default=str, option=orjson.OPT_NON_STR_KEYS).decode()


@cache
def _statement(table: Table, *, is_once: bool, is_upsert: bool) -> TextClause:
    columns = [column.name for column in table.columns if column.identity is None]
    listed = ", ".join(f'"{name}"' for name in columns)
    sql = (
        f"insert into {table.name} ({listed}) select {listed}"  # noqa: S608 - names of our own tables
        f" from jsonb_populate_recordset(null::{table.name}, cast(:rows as jsonb))"
    )
    if is_once:
        sql += " on conflict do nothing"
    elif is_upsert:
        keys = [column.name for column in table.primary_key.columns]
        updates = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
        sql += f" on conflict ({', '.join(keys)}) do update set {updates}"
    return text(sql)
