"""How a file comes in with an import route: bounded, on disk beyond a mebibyte, and the options it is read by."""

import io
from typing import Annotated, BinaryIO, Final, Literal

from fastapi import Depends, Query, Request
from starlette.requests import ClientDisconnect

from services.ingest.domain.csv_columns import plan_of
from services.ingest.domain.csv_text import Encoding
from services.ingest.domain.local_times import Dates
from services.ingest.domain.source import is_zone
from services.ingest.usecases.imports import How
from shared.errors import FieldError, Refused, TooLarge, Unreadable, UnsupportedMedia
from shared.web.app_factory import Answered
from shared.web.auth import Principal, requires

__all__ = ["FILE_BYTES_MAX", "IN_MEMORY_BYTES", "HowOf", "Importer", "Reject", "check_media_type", "receive", "text_of"]

FILE_BYTES_MAX: Final = 100 * 1024 * 1024
IN_MEMORY_BYTES: Final = 1024 * 1024  # a larger file waits on disk, so memory stays flat
_OPTIONS_MAX: Final = 200
Importer = Annotated[Principal, Depends(requires("activities:write"))]
Kind = Literal["leads", "activities"]


class Reject(Answered):
    """One record that was not taken as it asked; `record` counts records from 1, not lines."""

    record: int
    reason: str
    detail: str


def _how(
    kind: Kind,
    map: Annotated[  # noqa: A002 - the parameter's name
        list[str], Query(max_length=_OPTIONS_MAX, description="`Heading=field`; nothing behind `=` leaves it out")
    ] = [],  # noqa: B006 - the framework copies it
    set: Annotated[  # noqa: A002 - the parameter's name
        list[str], Query(max_length=_OPTIONS_MAX, description="`field=value` where a record says nothing")
    ] = [],  # noqa: B006 - the framework copies it
    time_zone: Annotated[str, Query(max_length=64, description="IANA zone of times that name none")] = "UTC",
    dates: Annotated[Dates, Query(description="how dates with slashes are meant")] = "iso",
) -> How:
    if not is_zone(time_zone):
        error = FieldError("/time_zone", "zone", "write a zone of the IANA list, like Europe/Berlin")
        raise Refused("There is no such time zone.", errors=[error])
    return How(plan_of(kind, said=map, fixed=set), time_zone, dates)


HowOf = Annotated[How, Depends(_how)]


def check_media_type(request: Request) -> None:
    """Raise UnsupportedMedia for what says it is no CSV."""
    media_type = request.headers.get("content-type", "text/csv").partition(";")[0].strip().lower()
    if media_type not in {"text/csv", "text/plain", "application/csv", "application/octet-stream"}:
        raise UnsupportedMedia("Send the CSV itself as the body, content type text/csv.")


def text_of(file: BinaryIO, encoding: Encoding) -> io.TextIOWrapper:
    """The file as text; closing it closes the file."""
    return io.TextIOWrapper(file, encoding=encoding.codec, newline="")


async def receive(request: Request, file: BinaryIO) -> None:
    """Stream the body into the file. Raises TooLarge beyond FILE_BYTES_MAX."""
    length = 0
    try:
        async for chunk in request.stream():
            length += len(chunk)
            if length > FILE_BYTES_MAX:
                raise TooLarge("A file may have at most 100 MiB; send it in parts.")
            file.write(chunk)
    except ClientDisconnect as error:
        raise Unreadable("The upload ended early; send the file again.") from error
    file.seek(0)
