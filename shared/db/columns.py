"""The kinds of columns that tables are made of: one word each, required unless `null` or `key` says otherwise.

A default is the database's own: what old code leaves out is filled in. Anything rarer is a plain `Column`.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

__all__ = ["at", "big_number", "flag", "ident", "jsonb", "number", "octets", "on", "real", "words"]


def ident(name: str, *parts: SchemaItem, key: bool = False, null: bool = False) -> Column[UUID]:
    """A uuid."""
    return _column(name, Uuid(), *parts, key=key, null=null)


def words(
    name: str, *parts: SchemaItem, key: bool = False, null: bool = False, default: str | None = None
) -> Column[str]:
    """A text."""
    return _column(name, Text(), *parts, key=key, null=null, default=None if default is None else f"'{default}'")


def number(name: str, *, key: bool = False, null: bool = False, default: int | None = None) -> Column[int]:
    """An integer of 32 bits."""
    return _column(name, Integer(), key=key, null=null, default=None if default is None else str(default))


def big_number(
    name: str, *parts: SchemaItem, key: bool = False, null: bool = False, default: int | None = None
) -> Column[int]:
    """An integer of 64 bits: minor amounts, microseconds, sequences."""
    return _column(name, BigInteger(), *parts, key=key, null=null, default=None if default is None else str(default))


def real(name: str, *, null: bool = False) -> Column[float]:
    """A float of 64 bits."""
    return _column(name, Double(), null=null)


def flag(name: str, *, key: bool = False, null: bool = False, default: bool | None = None) -> Column[bool]:
    """A boolean."""
    return _column(name, Boolean(), key=key, null=null, default=None if default is None else str(default).lower())


def at(name: str, *, null: bool = False, default: str | None = None) -> Column[datetime]:
    """An aware moment of world time (machine time where the table says so); the default is an expression."""
    return _column(name, TIMESTAMP(timezone=True), null=null, default=default)


def on(name: str, *, key: bool = False) -> Column[date]:
    """A date."""
    return _column(name, Date(), key=key)


def jsonb(name: str, *, null: bool = False, default: str | None = None) -> Column[Any]:
    """A JSON value."""
    return _column(name, JSONB(), null=null, default=None if default is None else f"'{default}'::jsonb")


def octets(name: str, *, key: bool = False, null: bool = False) -> Column[bytes]:
    """Bytes: a hash, or what is wrapped."""
    return _column(name, LargeBinary(), key=key, null=null)


def _column(
    name: str,
    kind: TypeEngine[Any],
    *parts: SchemaItem,
    key: bool = False,
    null: bool = False,
    default: str | None = None,
) -> Column[Any]:
    filled = None if default is None else text(default)
    return Column(name, kind, *parts, primary_key=key, nullable=null, server_default=filled)
