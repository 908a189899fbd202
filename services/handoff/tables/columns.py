"""What every table of handoff is made with: one metadata object and the few column kinds."""

from typing import Any

from sqlalchemy import TIMESTAMP, Boolean, Column, Integer, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

__all__ = ["at", "flag", "ident", "jsonb", "metadata", "number", "words"]

metadata = MetaData()


def ident(name: str, *, key: bool = False, null: bool = False, **named: Any) -> Column[Any]:  # noqa: ANN401
    """A uuid."""
    return Column(name, Uuid, primary_key=key, nullable=null, **named)


def words(name: str, *, key: bool = False, null: bool = False, default: str | None = None) -> Column[str]:
    """A text."""
    shown = None if default is None else text(f"'{default}'")
    return Column(name, Text, primary_key=key, nullable=null, server_default=shown)


def number(name: str, *, key: bool = False, null: bool = False, default: int | None = None) -> Column[int]:
    """An integer."""
    shown = None if default is None else text(str(default))
    return Column(name, Integer, primary_key=key, nullable=null, server_default=shown, autoincrement=False)


def flag(name: str, *, default: bool = False) -> Column[bool]:
    """A boolean."""
    return Column(name, Boolean, nullable=False, server_default=text("true" if default else "false"))


def at(name: str, *, null: bool = False) -> Column[Any]:
    """An aware moment of world time (machine time where the table says so)."""
    return Column(name, TIMESTAMP(timezone=True), nullable=null)


def jsonb(name: str, *, default: str = "{}") -> Column[Any]:
    """A JSON value."""
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))
