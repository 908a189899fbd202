"""Looks at a file without importing it: a preview of what it would become, and its refused records to be mended.

Nothing of a file is kept here; who sends it sees no more than what is in it.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, BinaryIO, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from services.ingest.api.uploads import (
    FILE_BYTES_MAX,
    IN_MEMORY_BYTES,
    HowOf,
    Importer,
    Reject,
    check_media_type,
    receive,
    text_of,
)
from services.ingest.domain.csv_columns import FIELDS
from services.ingest.domain.csv_file import checked
from services.ingest.domain.csv_text import encoding_of
from services.ingest.domain.keys import keys_of
from services.ingest.domain.observation import Observation
from services.ingest.usecases.imports import look_at, reject_lines
from shared.web.app_factory import Answered

__all__ = ["router"]

router = APIRouter(prefix="/v1/imports", tags=["imports"])


class ColumnShown(Answered):
    """A column of the file and the field it is read as; `is_known` false: kept with the record as an answer."""

    heading: str
    field: str
    is_guessed: bool
    is_known: bool


class RecordShown(Answered):
    """One record as it would be read."""

    record: int
    kind: str
    occurred_at: datetime | None
    name: str
    email: str
    identifiers: list[str]
    person: dict[str, str]
    company: str
    campaign: str
    text: str
    consent: str


class Preview(Answered):
    """What a file would become: its columns, its first records, and what would be refused of those looked at."""

    note: str
    columns: list[ColumnShown]
    fields: list[str]
    looked_at: int
    is_whole: bool
    records: list[RecordShown]
    refused: dict[str, int]
    rejects: list[Reject]


@router.post("/{kind}/preview", max_body_size=FILE_BYTES_MAX)  # noqa: FAST003 - `how` takes it
async def preview_import(
    _: Importer,
    request: Request,
    how: HowOf,
    is_beginning: Annotated[  # noqa: FBT002 - a parameter of the query
        bool, Query(description="the body is the file's beginning alone, cut off anywhere")
    ] = False,
) -> Preview:
    """What a file would become; nothing is kept of it."""
    check_media_type(request)
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as spooled:
        file = cast("BinaryIO", spooled)
        await receive(request, file)
        encoding = await asyncio.to_thread(encoding_of, file, is_beginning=is_beginning)
        looked = await asyncio.to_thread(look_at, text_of(file, encoding), how, is_beginning=is_beginning)
    return Preview(
        note=encoding.note,
        columns=[ColumnShown(**{name: getattr(one, name) for name in one.__slots__}) for one in looked.columns],
        fields=list(FIELDS[how.plan.kind]),
        looked_at=looked.records,
        is_whole=looked.is_whole,
        records=[_record(one) for one in looked.read],
        refused=looked.refused,
        rejects=[Reject(record=one.index, reason=one.reason, detail=one.detail) for one in looked.refusals],
    )


@router.post("/{kind}/rejects", max_body_size=FILE_BYTES_MAX)  # noqa: FAST003 - `how` takes it
async def read_rejects(_: Importer, request: Request, how: HowOf) -> StreamingResponse:
    """The records of a file that would be refused, as a CSV that can be mended and imported."""
    check_media_type(request)
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115 - the stream ends it
    await receive(request, file)
    encoding = await asyncio.to_thread(encoding_of, file)
    text = text_of(file, encoding)
    await asyncio.to_thread(checked, text, how.plan)
    text.seek(0)

    def lines() -> Iterator[str]:
        with text:
            yield from reject_lines(text, how)

    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8")


def _record(one: Observation) -> RecordShown:
    person = {name: value for name, value in one.traits.items() if name not in {"email", "company"}}
    return RecordShown(
        record=one.index,
        kind=one.kind or one.operation.value,
        occurred_at=one.timestamp,
        name=one.name or "",
        email=one.person.email or "",
        identifiers=[key.kind.value for key in keys_of(one.person)],
        person=person,
        company=one.company.name or "",
        campaign=one.touch.campaign or "",
        text=one.texts.text or "",
        consent=", ".join(sorted({f"{claim.consent} for {claim.purpose}" for claim in one.consents})),
    )
