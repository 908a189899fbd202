"""Times that are asked with, in addresses and bodies: only RFC 3339 with a zone, or the field is refused by name.

One rule for every service: a time without its zone would be guessed at, and two services would guess differently.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

__all__ = ["Moment"]

_YEARS = range(1900, 9999)  # beyond them a month or a zone away is no date any more


def _moment(value: object, read: ValidatorFunctionWrapHandler) -> datetime:
    """A written date and time with its zone, in UTC. Raises what becomes the field's error."""
    try:
        moment: datetime | None = read(value) if isinstance(value, str) and value[4:5] == "-" else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise PydanticCustomError(
            "zone", "write the time with its zone, like 2026-06-01T00:00:00Z (a + in an address is written %2B)"
        )
    return moment.astimezone(UTC)


Moment = Annotated[datetime, WrapValidator(_moment)]
"""A time that is asked with: RFC 3339 with a zone. A number or a time without one would be guessed at."""
