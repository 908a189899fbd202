"""Imports: files of leads, activities and spend, looked at before they are sent, and followed until they are handled.

A file is streamed to the service that owns its rows; nothing of it is kept here. How it is read is decided there.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from services.console.domain.importing import KINDS, ImportRow, columns_shown, import_row, mapping_of, options_of
from services.console.pages.actions import form_of
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visit, Visiting, answer, frame, must_open
from shared.db.engine import reading
from shared.errors import AppError, NotFound, Refused
from shared.web.auth import requires
from shared.web.service_client import ServiceAnswer, error_of

__all__ = ["router"]

FILE_BYTES_MAX: Final = 101 * 1024 * 1024  # a mebibyte more than ingest takes, for the rest of the form
SEND_SECONDS: Final = 900.0
_BEGINNING_BYTES: Final = 1024 * 1024  # what a preview needs
_CHUNK_BYTES: Final = 256 * 1024
_FOLLOWED_MOST: Final = 5
_CSV: Final = {"content-type": "text/csv"}
KEYS = keys_of([])
router = APIRouter(dependencies=[Depends(requires("any"))])
Form = Annotated[dict[str, str], Depends(form_of)]


async def _upload(visit: Visiting) -> AsyncIterator[UploadFile]:
    """The chosen file; it is closed with the request."""
    try:
        file = (await visit.request.form()).get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refused("Choose a file first.")
        yield file
    finally:
        await visit.request.close()


Upload = Annotated[UploadFile, Depends(_upload)]
_AWAY = Told("bad", "Ingest does not answer now: the imports cannot be shown. Load the page again in a moment.")


@router.get("/imports")
async def show_imports(visit: Visiting) -> HTMLResponse:
    """The form, and the newest imports."""
    return await _draw(visit)


@router.get("/imports/{import_id}")
async def show_import(visit: Visiting, import_id: UUID) -> HTMLResponse:
    """How far one is: the row that asks again until it is handled."""
    must_open(visit, "imports")
    found = await visit.owners.ask("ingest", f"/v1/imports/{import_id}", principal=visit.principal)
    if found is None:
        raise NotFound("There is no import with this id, or ingest does not answer now.")
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    return answer("parts/import_row.html", drawing, row=import_row(found))


@router.post("/do/preview-import", max_body_size=FILE_BYTES_MAX)
async def preview(visit: Visiting, form: Form, file: Upload) -> HTMLResponse:
    """What the chosen file would become."""
    must_open(visit, "imports")
    kind = _kind(form)
    beginning = await file.read(_BEGINNING_BYTES)
    told: Told | None = None
    looked: Mapping[str, Any] | None = None
    try:
        if kind == "spend":
            rest = await file.read(4 * _BEGINNING_BYTES)
            sent = await _send(visit, "feedback", "/v1/spend/preview", beginning + rest, {"map": mapping_of(form)})
        else:
            is_whole = len(beginning) < _BEGINNING_BYTES
            asked = {**options_of(form), "is_beginning": "false" if is_whole else "true"}
            sent = await _send(visit, "ingest", f"/v1/imports/{kind}/preview", beginning, asked)
        looked = sent.json()
    except AppError as error:
        told = Told("bad", _words(error))
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    if not visit.is_fragment:
        return await _draw(visit, form=form, looked=looked, told=told, status=200 if looked else 422)
    columns = columns_shown(looked["columns"], form) if looked else []
    return answer("parts/import_preview.html", drawing, kind=kind, looked=looked, columns=columns, told=told)


@router.post("/do/import", max_body_size=FILE_BYTES_MAX)
async def send_import(visit: Visiting, form: Form, file: Upload) -> Response:
    """Send the chosen file; the page follows it."""
    must_open(visit, "imports")
    kind = _kind(form)
    try:
        if kind == "spend":
            done = (await _send(visit, "feedback", "/v1/spend", _chunks(file), {"map": mapping_of(form)})).json()
            return await _draw(visit, form=form, told=_spend_told(done))
        asked = {**options_of(form), "name": (file.filename or "file.csv")[:200]}
        await _send(visit, "ingest", f"/v1/imports/{kind}", _chunks(file), asked)
    except AppError as error:
        return await _draw(visit, form=form, told=Told("bad", _words(error)), status=422)
    return RedirectResponse("/imports", status_code=303)


@router.post("/do/import-rejects", max_body_size=FILE_BYTES_MAX)
async def download_rejects(visit: Visiting, form: Form, file: Upload) -> Response:
    """The records of the chosen file that would be refused, to be mended and sent."""
    must_open(visit, "imports")
    kind = _kind(form)
    if kind == "spend":
        raise Refused("Lines of spend that are refused are listed in the preview; mend them in the file itself.")
    sent = await _send(visit, "ingest", f"/v1/imports/{kind}/rejects", _chunks(file), options_of(form))
    headers = {"content-disposition": 'attachment; filename="rejects.csv"'}
    return Response(sent.content, media_type="text/csv; charset=utf-8", headers=headers)


async def _draw(
    visit: Visit,
    *,
    form: Mapping[str, str] | None = None,
    looked: Mapping[str, Any] | None = None,
    told: Told | None = None,
    status: int = 200,
) -> HTMLResponse:
    must_open(visit, "imports")
    listed = await visit.owners.ask("ingest", "/v1/imports", principal=visit.principal)
    rows = [await _followed(visit, one, place) for place, one in enumerate((listed or {}).get("imports", ()))]
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    return answer(
        "pages/imports.html",
        drawing,
        status,
        page_title="Imports",
        page_name="imports",
        key_sheet=KEYS,
        rows=rows,
        form=defaultdict(str, form or {}),
        kind=(form or {}).get("kind", "leads"),
        looked=looked,
        columns=columns_shown(looked["columns"], form or {}) if looked else [],
        told=told if listed is not None or told else _AWAY,
    )


async def _followed(visit: Visit, one: Mapping[str, Any], place: int) -> ImportRow:
    """One import with what became of it: of the newest ones, the others say it when they are opened."""
    if place >= _FOLLOWED_MOST:
        return import_row(one)
    whole = await visit.owners.ask("ingest", f"/v1/imports/{one['id']}", principal=visit.principal)
    return import_row(whole or one)


async def _send(
    visit: Visit, service: str, path: str, content: bytes | AsyncIterator[bytes], params: Mapping[str, Any]
) -> ServiceAnswer:
    """Send a file as this person. Raises what the service answered."""
    sent = await visit.owners.public[service].send(
        "POST",
        path,
        principal=visit.principal,
        content=content,
        params=params,
        headers=_CSV,
        timeout_seconds=SEND_SECONDS,
    )
    if not sent.is_success:
        raise error_of(sent)
    return sent


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    await file.seek(0)
    while chunk := await file.read(_CHUNK_BYTES):
        yield chunk


def _kind(form: Mapping[str, str]) -> str:
    kind = form.get("kind", "")
    if kind not in KINDS:
        raise Refused("Say what the file holds: leads, activities or spend.")
    return kind


def _spend_told(done: Mapping[str, Any]) -> Told:
    refused = len(done["refused"])
    said = f"{done['taken']} lines of spend were taken, {done['repeated']} were known."
    return Told(
        "bad" if refused else "good", said + (f" {refused} were refused: look at the preview." if refused else "")
    )


def _words(error: AppError) -> str:
    return " ".join([error.detail, *(f"{one.pointer.rpartition('/')[2]}: {one.message}" for one in error.errors)])
