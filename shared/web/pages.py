"""Pages of lists: an opaque cursor that points behind a row in a stable order, and how many items one page holds."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import Query

from shared.errors import FieldError, Refused

__all__ = ["PAGE_DEFAULT", "PAGE_MOST", "Limit", "cursor_of", "moment_in", "number_in", "read_place"]

PAGE_DEFAULT = 50
PAGE_MOST = 200
_NUMBER_MOST = 2**63 - 1
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST, description="items of one page")]


def cursor_of(*values: object) -> str:
    """An opaque cursor that points behind a row: the values of the stable order, as texts."""
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode().rstrip("=")


def read_place(cursor: str | None, *kinds: Callable[[str], Any]) -> tuple[Any, ...] | None:
    """The values of the stable order that a cursor points behind, each read as its kind; None for the first page.

    Raises Refused for a cursor that is none of this list's: whatever it holds, it never reaches the database.
    """
    if cursor is None:
        return None
    values = _values(cursor, fields=len(kinds))
    try:
        return tuple(kind(value) for kind, value in zip(kinds, values, strict=True))
    except (ValueError, OverflowError) as wrong:
        raise _no_cursor() from wrong


def moment_in(text: str) -> datetime:
    """A moment with its offset, in UTC. Raises ValueError or OverflowError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without its offset is none")
    return moment.astimezone(UTC)


def number_in(text: str) -> int:
    """A number of a row. Raises ValueError."""
    if not (text.isascii() and text.isdigit()) or int(text) > _NUMBER_MOST:
        raise ValueError("no number of a row")
    return int(text)


def _values(cursor: str, *, fields: int) -> list[str]:
    """The values `cursor_of` wrote. Raises Refused for anything else."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(values, list) and len(values) == fields and all(isinstance(value, str) for value in values):
            return values
    except ValueError:
        pass
    raise _no_cursor()


def _no_cursor() -> Refused:
    return Refused(
        "Use the cursor of the answer's next link.", errors=[FieldError("query:cursor", "cursor", "not a cursor")]
    )
