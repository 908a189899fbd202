"""Pages of lists: an opaque cursor that points behind a row in a stable order, and how many items one page holds."""

import base64
from typing import Annotated

import orjson
from fastapi import Query

from shared.errors import FieldError, Refused

__all__ = ["PAGE_DEFAULT", "PAGE_MOST", "Limit", "cursor_of", "read_cursor"]

PAGE_DEFAULT = 50
PAGE_MOST = 200
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST, description="items of one page")]


def cursor_of(*values: object) -> str:
    """An opaque cursor that points behind a row: the values of the stable order, as texts."""
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode().rstrip("=")


def read_cursor(cursor: str | None, *, fields: int) -> list[str] | None:
    """The values `cursor_of` wrote, or None for the first page. Raises Refused for anything else."""
    if cursor is None:
        return None
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(values, list) and len(values) == fields and all(isinstance(value, str) for value in values):
            return values
    except ValueError:
        pass
    raise Refused(
        "Use the cursor of the answer's next link.", errors=[FieldError("query:cursor", "cursor", "not a cursor")]
    )
