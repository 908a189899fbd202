"""The buttons of Connections: connect, change, rotate, revoke, test and delete a source, each sent to ingest.

A refusal comes back as the page it was pressed on, with ingest's words and what was typed. A key that was made is shown
in the answer itself, once.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse, Response

from services.console.domain.connections import BadForm, lines_of, settings_from
from services.console.pages.actions import form_of
from services.console.pages.connections import draw_list, draw_made, draw_new, draw_source
from services.console.pages.rendering import Told
from services.console.pages.visit import Visit, Visiting, must_open
from shared.errors import AppError, Unreadable
from shared.ids import new_id
from shared.web.auth import requires

__all__ = ["router"]

FORM_BYTES_MAX: Final = 256 * 1024
CALL_SECONDS: Final = 10.0
_SETTINGS: Final = ("origins", "names", "pages", "properties", "options", "mapping", "time_zone", "rate_per_second")
router = APIRouter(dependencies=[Depends(requires("any"))])
Form = Annotated[dict[str, str], Depends(form_of)]


@router.post("/do/connect", max_body_size=FORM_BYTES_MAX)
async def connect(visit: Visiting, form: Form) -> Response:
    """Make a source; its keys are shown in the answer, once."""
    must_open(visit, "connections")
    sender = form.get("sender", "")
    try:
        settings = settings_from(
            {name: value for name, value in form.items() if name in {*_SETTINGS, "consent"} and value}
        )
        body: dict[str, Any] = {"sender": sender, "name": form.get("name", ""), "settings": settings}
        if form.get("secret"):
            body["secret"] = form["secret"]
        if form.get("has_browser"):
            body["keys"] = ["server_key", "browser_key"]
        made = await _call(visit, "POST", "/v1/sources", body)
    except (AppError, BadForm) as error:
        return await draw_new(visit, sender=sender, form=form, told=Told("bad", _words(error)), status=422)
    return await draw_made(visit, made)


@router.post("/do/source-set", max_body_size=FORM_BYTES_MAX)
async def change(visit: Visiting, form: Form) -> Response:
    """Change name and settings; a change that somebody else made meanwhile is not overwritten."""
    must_open(visit, "connections")
    source_id = _id(form, "source_id")
    try:
        body = {"name": form.get("name", ""), "settings": settings_from(form)}
        etag = f'"{int(form.get("version", "0"))}"'
        changed = await _call(visit, "PATCH", f"/v1/sources/{source_id}", body, **{"if-match": etag})
    except (AppError, BadForm) as error:
        return await draw_source(visit, source_id, told=Told("bad", _words(error)), status=422, form=form)
    except ValueError as error:
        raise Unreadable("The form lacks the version of the source: load the page again.") from error
    said = f"Saved. The door knows it within ten seconds. {changed.get('notice', '')}".rstrip()
    return await draw_source(visit, source_id, told=Told("good", said))


@router.post("/do/source-try", max_body_size=FORM_BYTES_MAX)
async def try_mapping(visit: Visiting, form: Form) -> Response:
    """Try the typed mapping on the last deliveries; nothing is changed."""
    must_open(visit, "connections")
    source_id = _id(form, "source_id")
    try:
        mapping = settings_from({"mapping": form.get("mapping", "")})["mapping"]
        tried = await _call(visit, "POST", f"/v1/sources/{source_id}/mapping/dry-run", {"mapping": mapping})
    except (AppError, BadForm) as error:
        return await draw_source(visit, source_id, told=Told("bad", _words(error)), status=422, form=form)
    return await draw_source(visit, source_id, form=form, tried=tried["deliveries"])


@router.post("/do/source-rotate")
async def rotate(visit: Visiting, form: Form) -> Response:
    """Make a new key beside the old one."""
    must_open(visit, "connections")
    source_id = _id(form, "source_id")
    hours = form.get("overlap_hours", "24")
    body: dict[str, Any] = {"kind": form.get("kind", ""), "overlap_hours": int(hours) if hours.isdigit() else -1}
    if form.get("secret"):
        body["secret"] = form["secret"]
    try:
        made = await _call(visit, "POST", f"/v1/sources/{source_id}/rotate", body)
    except AppError as error:
        return await draw_source(visit, source_id, told=Told("bad", _words(error)), status=422)
    ends = "has ended" if body["overlap_hours"] == 0 else f"works for {hours} hours more"
    told = Told("good", f"There is a new key; the old one {ends}.")
    return await draw_source(visit, source_id, told=told, new_key=made if "key" in made else None)


@router.post("/do/source-revoke")
async def revoke(visit: Visiting, form: Form) -> Response:
    """End one key at once."""
    must_open(visit, "connections")
    source_id, key_id = _id(form, "source_id"), _id(form, "key_id")
    try:
        await _call(visit, "POST", f"/v1/sources/{source_id}/keys/{key_id}/revoke", {})
    except AppError as error:
        return await draw_source(visit, source_id, told=Told("bad", _words(error)), status=422)
    return await draw_source(
        visit, source_id, told=Told("good", "The key has ended; every door knows it in ten seconds.")
    )


@router.post("/do/source-test")
async def test(visit: Visiting, form: Form) -> Response:
    """Wait for the next delivery on the page."""
    return await draw_source(visit, _id(form, "source_id"), is_waiting=True)


@router.post("/do/source-delete")
async def delete(visit: Visiting, form: Form) -> Response:
    """End a source."""
    must_open(visit, "connections")
    source_id = _id(form, "source_id")
    try:
        found = await visit.owners.public["ingest"].call(
            "GET", f"/v1/sources/{source_id}", principal=visit.principal, timeout_seconds=CALL_SECONDS
        )
        await _call(visit, "DELETE", f"/v1/sources/{source_id}", None, **{"if-match": f'"{found["version"]}"'})
    except AppError as error:
        return await draw_list(visit, told=Told("bad", _words(error)))
    return RedirectResponse("/connections", status_code=303)


async def _call(visit: Visit, method: str, path: str, body: Mapping[str, Any] | None, **headers: str) -> Any:  # noqa: ANN401
    """A command as this person. Raises what ingest answered."""
    return await visit.owners.public["ingest"].call(
        method,
        path,
        principal=visit.principal,
        json=body,
        headers={"idempotency-key": str(new_id()), **headers},
        timeout_seconds=CALL_SECONDS,
    )


def _id(form: Mapping[str, str], name: str) -> UUID:
    try:
        return UUID(form.get(name, ""))
    except ValueError as error:
        raise Unreadable("The form lacks its source or key: load the page again.") from error


def _words(error: AppError | BadForm) -> str:
    """What went wrong as one text: ingest's own words with each field."""
    if isinstance(error, BadForm):
        return str(error)
    fields = [f"{one.pointer.rpartition('/')[2].replace('_', ' ')}: {one.message}" for one in error.errors]
    return " ".join(lines_of(f"{error.detail}\n{'; '.join(fields)}"))
