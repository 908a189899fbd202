"""File imports: the body is the CSV itself, streamed to a bounded temporary file, cut, and sent as deliveries.

The same file again is the same import and adds nothing; a broken upload goes on when the file is sent again.
"""

import asyncio
import io
import tempfile
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Final, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.requests import ClientDisconnect

from services.ingest.api.parts import Parts, PartsOf
from services.ingest.domain.csv_file import checked
from services.ingest.store import imports
from services.ingest.usecases.imports import file_hash, import_id_of, pieces
from services.ingest.usecases.sources import ensure_import_source
from shared import clock
from shared.db.engine import reading, transaction
from shared.errors import NotFound, TooLarge, Unreadable, UnsupportedMedia
from shared.web.app_factory import Answered
from shared.web.auth import Principal, requires
from shared.web.pages import PAGE_DEFAULT, Limit

__all__ = ["FILE_BYTES_MAX", "router"]

FILE_BYTES_MAX: Final = 100 * 1024 * 1024
_IN_MEMORY_BYTES: Final = 1024 * 1024  # a larger file waits on disk, so memory stays flat
router = APIRouter(prefix="/v1/imports", tags=["imports"])
Importer = Annotated[Principal, Depends(requires("activities:write"))]


class Reject(Answered):
    """One record that was not taken as it asked; `record` counts records from 1, not lines."""

    record: int
    reason: str
    detail: str


class ImportShown(Answered):
    """How far an import is: records sent, handled, and what became of them."""

    id: UUID
    kind: str
    name: str
    state: Literal["cutting", "sent", "handled", "broken"]
    records: int
    records_handled: int
    leads_new: int
    operations: int
    activities: int
    repeats: int
    refused: int
    suppressed: int
    counted: int
    conflicts: int
    created_at: datetime
    rejects: list[Reject]
    next_rejects_after: int | None = None


@router.post("/{kind}", status_code=202, max_body_size=FILE_BYTES_MAX)
async def post_import(
    principal: Importer,
    parts: PartsOf,
    request: Request,
    response: Response,
    kind: Literal["leads", "activities"],
    name: Annotated[str, Query(max_length=200, description="shown beside the import")] = "file.csv",
) -> ImportShown:
    """Import a CSV of leads or activities, up to 100 MiB; follow it with GET on the answer's location."""
    media_type = request.headers.get("content-type", "text/csv").partition(";")[0].strip().lower()
    if media_type not in {"text/csv", "text/plain", "application/csv", "application/octet-stream"}:
        raise UnsupportedMedia("Send the CSV itself as the body, content type text/csv.")
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        await _receive(request, cast("BinaryIO", file))
        import_id = await _cut_and_send(parts, cast("BinaryIO", file), kind=kind, name=name, principal=principal)
    response.headers["location"] = f"/v1/imports/{import_id}"
    return await _shown(parts, import_id, after=0, limit=PAGE_DEFAULT)


@router.get("/{import_id}")
async def get_import(
    _: Importer,
    parts: PartsOf,
    import_id: UUID,
    rejects_after: Annotated[int, Query(ge=0, description="show rejects behind this record")] = 0,
    limit: Limit = PAGE_DEFAULT,
) -> ImportShown:
    """How far it is, and which records were not taken."""
    return await _shown(parts, import_id, after=rejects_after, limit=limit)


@router.get("/{import_id}/rejects.csv")
async def get_rejects(_: Importer, parts: PartsOf, import_id: UUID) -> Response:
    """The rejects as a file: record, reason, detail."""
    lines = ["record,reason,detail"]
    after = 0
    async with reading(parts.database) as tx:
        while page := await imports.import_rejects(tx, import_id, after=after, limit=1000):
            lines.extend(f'{row["record"]},{row["reason"]},"{row["detail"]}"' for row in page)
            after = page[-1]["record"]
    return Response("\r\n".join(lines) + "\r\n", media_type="text/csv")


async def _receive(request: Request, file: BinaryIO) -> None:
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


async def _cut_and_send(parts: Parts, file: BinaryIO, *, kind: str, name: str, principal: Principal) -> UUID:
    """Send every piece; what was sent before is dropped by its id.

    Raises what is wrong with the file before anything of it is kept: it is read to its end first, in a thread.
    """
    sha256 = await asyncio.to_thread(file_hash, file)
    import_id, by = import_id_of(kind, sha256), f"{principal.kind}:{principal.id}"
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    await asyncio.to_thread(checked, text)
    text.seek(0)
    async with transaction(parts.database, "command") as tx:
        source_id = await ensure_import_source(tx, kind)
        await imports.begin_import(
            tx, import_id=import_id, kind=kind, source_id=source_id, name=name, sha256=sha256, by=by
        )
    records = deliveries = 0
    received_at = clock.now()
    state = "broken"
    try:
        for piece in pieces(text, kind=kind, import_id=import_id, source_id=source_id, by=by, received_at=received_at):
            key = str(piece.delivery_id)
            await parts.deliver(piece.delivery_id, key, piece.body, request=piece.request, received_at=received_at)
            records, deliveries = records + piece.records, deliveries + 1
        state = "sent"
    finally:
        async with transaction(parts.database, "command") as tx:
            await imports.end_import(tx, import_id, state=state, records=records, deliveries=deliveries)
    return import_id


async def _shown(parts: Parts, import_id: UUID, *, after: int, limit: int) -> ImportShown:
    async with reading(parts.database) as tx:
        row = await imports.import_progress(tx, import_id)
        if row is None:
            raise NotFound("There is no import with this id.")
        rejects = await imports.import_rejects(tx, import_id, after=after, limit=limit)
    return ImportShown(
        **{name: row[name] for name in ImportShown.model_fields if name in row and name != "state"},
        state=_state(row),
        rejects=[Reject(**one) for one in rejects],
        next_rejects_after=rejects[-1]["record"] if len(rejects) == limit else None,
    )


def _state(row: dict[str, Any]) -> Literal["cutting", "sent", "handled", "broken"]:
    if row["state"] == "sent" and row["deliveries_handled"] >= row["deliveries"]:
        return "handled"
    state: Literal["cutting", "sent", "broken"] = row["state"]
    return state
