"""Builds statements whose parameters are columns: each named parameter is an array, bound with its type."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    TextClause,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.types import Float, TypeEngine

from shared.db.engine import Tx

__all__ = ["Change", "Pending", "by_columns", "change_by_columns", "columns", "save_together"]

_TYPES: Final[Mapping[str, TypeEngine[Any]]] = {
    "uuid": Uuid(),
    "text": Text(),
    "bytea": LargeBinary(),
    "time": DateTime(timezone=True),
    "date": Date(),
    "int": Integer(),
    "bigint": BigInteger(),
    "float": Float(),
    "bool": Boolean(),
}

_PARAMETER: Final = re.compile(r"(?<!:):([a-z_]+)")
_COMBINATIONS_MAX: Final = 128  # of some ten changes, those that really come together


@dataclass(frozen=True, slots=True)
class Change:
    """A statement that changes rows and answers nothing; `name` is its own, and sets its parameters apart."""

    name: str
    sql: str
    types: tuple[tuple[str, str], ...]


Pending = tuple[Change, Mapping[str, Any]]
"""A change with its parameters."""


def by_columns(sql: str, **types: str) -> TextClause:
    """The statement with each named parameter bound as an array of the type."""
    return text(sql).bindparams(*(bindparam(name, type_=ARRAY(_TYPES[kind])) for name, kind in types.items()))


def columns(rows: "list[Mapping[str, Any]]", names: "tuple[str, ...]") -> dict[str, list[Any]]:
    """Rows turned into columns, one list per name."""
    return {name: [row[name] for row in rows] for name in names}


def change_by_columns(change: str, sql: str, **types: str) -> Change:
    """A change with each named parameter bound as an array of the type."""
    return Change(change, sql, tuple(types.items()))


async def save_together(tx: Tx, pending: Sequence[Pending | None]) -> None:
    """Carry out all changes that are there in one statement: each sees the rows as they were before all of them."""
    found = [one for one in pending if one is not None]
    if found:
        parameters = {f"{change.name}_{name}": value for change, given in found for name, value in given.items()}
        await tx.execute(_together(tuple(change for change, _ in found)), parameters)


@lru_cache(_COMBINATIONS_MAX)
def _together(changes: tuple[Change, ...]) -> TextClause:
    texts = [_PARAMETER.sub(rf":{change.name}_\1", change.sql) for change in changes]
    heads = ", ".join(f"{change.name} as ({text})" for change, text in zip(changes[:-1], texts[:-1], strict=True))
    types = {f"{change.name}_{name}": kind for change in changes for name, kind in change.types}
    return by_columns(f"with {heads} {texts[-1]}" if heads else texts[-1], **types)
