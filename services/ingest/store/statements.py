"""Builds statements whose parameters are columns: each named parameter is an array, bound with its type."""

from collections.abc import Mapping
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

__all__ = ["by_columns", "columns"]

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


def by_columns(sql: str, **types: str) -> TextClause:
    """The statement with each named parameter bound as an array of the type."""
    return text(sql).bindparams(*(bindparam(name, type_=ARRAY(_TYPES[kind])) for name, kind in types.items()))


def columns(rows: "list[Mapping[str, Any]]", names: "tuple[str, ...]") -> dict[str, list[Any]]:
    """Rows turned into columns, one list per name."""
    return {name: [row[name] for row in rows] for name in names}
