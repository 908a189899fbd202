"""File imports: the body is the CSV itself, streamed to a bounded temporary file, cut, and sent as deliveries.

The same file again is the same import and adds nothing; a broken upload goes on when the file is sent again. Nothing of
a file is kept beside its deliveries.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, BinaryIO, Final, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.ingest.api.parts import Parts, PartsOf
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
from services.ingest.domain.csv_file import checked
from services.ingest.domain.csv_text import encoding_of
from services.ingest.store import imports
from services.ingest.usecases.imports import How, file_hash, import_id_of, pieces
from services.ingest.usecases.imports import Piece as Delivery
from services.ingest.usecases.sources import ensure_import_source
from shared import clock
from shared.db.engine import reading, transaction
from shared.errors import NotFound
from shared.web.app_factory import Answered
from shared.web.auth import Principal
from shared.web.pages import PAGE_DEFAULT, Limit

__all__ = ["FILE_BYTES_MAX", "router"]

_AT_ONCE: Final = 8  # deliveries on their way to Kafka: waiting for each alone would cost a round trip per 500 records
_NOTED_EVERY: Final = 5  # how often the job says how far it is, in such groups
router = APIRouter(prefix="/v1/imports", tags=["imports"])


class ImportShown(Answered):
    """How far an import is: records sent, handled, and what became of them."""

    id: UUID
    kind: str
    name: str
    state: Literal["cutting", "sent", "handled", "broken"]
    note: str
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


class ImportListed(Answered):
    """One import as it was sent; GET it for what became of its records."""

    id: UUID
    kind: str
    name: str
    state: str
    note: str
    records: int
    created_at: datetime


@router.post("/{kind}", status_code=202, max_body_size=FILE_BYTES_MAX)  # noqa: FAST003 - `how` takes it
async def post_import(
    principal: Importer,
    parts: PartsOf,
    request: Request,
    response: Response,
    how: HowOf,
    name: Annotated[str, Query(max_length=200, description="shown beside the import")] = "file.csv",
) -> ImportShown:
    """Import a CSV of leads or activities, up to 100 MiB; follow it with GET on the answer's location."""
    check_media_type(request)
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
        await receive(request, cast("BinaryIO", file))
        import_id = await _cut_and_send(parts, cast("BinaryIO", file), how=how, name=name, principal=principal)
    response.headers["location"] = f"/v1/imports/{import_id}"
    return await _shown(parts, import_id, after=0, limit=PAGE_DEFAULT)


@router.get("")
async def list_imports(_: Importer, parts: PartsOf) -> dict[str, list[ImportListed]]:
    """The newest imports."""
    async with reading(parts.database) as tx:
        rows = await imports.newest_imports(tx)
    return {"imports": [ImportListed(**{name: row[name] for name in ImportListed.model_fields}) for row in rows]}


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


async def _cut_and_send(parts: Parts, file: BinaryIO, *, how: How, name: str, principal: Principal) -> UUID:
    """Send every piece; what was sent before is dropped by its id.

    Raises what is wrong with the file before anything of it is kept: it is read to its end first, in a thread.
    """
    kind = how.plan.kind
    sha256 = await asyncio.to_thread(file_hash, file)
    import_id, by = import_id_of(how, sha256), f"{principal.kind}:{principal.id}"
    encoding = await asyncio.to_thread(encoding_of, file)
    text = text_of(file, encoding)
    await asyncio.to_thread(checked, text, how.plan)
    text.seek(0)
    async with transaction(parts.database, "command") as tx:
        source_id = await ensure_import_source(tx, kind)
        await imports.begin_import(
            tx,
            import_id=import_id,
            kind=kind,
            source_id=source_id,
            name=name,
            sha256=sha256,
            by=by,
            note=encoding.note,
        )
    received_at = clock.now()
    cut = pieces(text, how=how, import_id=import_id, source_id=source_id, by=by, received_at=received_at)
    sent = _Sent()
    state = "broken"
    try:
        await _send(parts, import_id, cut, received_at, sent)
        state = "sent"
    finally:
        async with transaction(parts.database, "command") as tx:
            await imports.end_import(tx, import_id, state=state, records=sent.records, deliveries=sent.deliveries)
    return import_id


class _Sent:
    """How much of a file has been acknowledged."""

    records = 0
    deliveries = 0


async def _send(parts: Parts, import_id: UUID, cut: Iterator[Delivery], received_at: datetime, sent: _Sent) -> None:
    """Send all deliveries, some at once, and note now and then how far it is. Raises Busy when one was not kept."""
    groups = 0
    while group := await asyncio.to_thread(lambda: list(islice(cut, _AT_ONCE))):
        await asyncio.gather(
            *(
                parts.deliver(
                    one.delivery_id, str(one.delivery_id), one.body, request=one.request, received_at=received_at
                )
                for one in group
            )
        )
        sent.records += sum(one.records for one in group)
        sent.deliveries += len(group)
        groups += 1
        if groups % _NOTED_EVERY == 0:
            async with transaction(parts.database, "command") as tx:
                await imports.note_sent(tx, import_id, records=sent.records, deliveries=sent.deliveries)


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
