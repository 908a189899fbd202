"""The buttons over many parked deliveries: replay a group or a time range, list an origin and replay, discard, stop."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse, Response

from services.console.pages.actions import form_of
from services.console.pages.parked import draw_parked
from services.console.pages.rendering import Told, zone_of
from services.console.pages.visit import Visit, Visiting, must_open
from shared.errors import AppError, Unreadable
from shared.ids import new_id
from shared.web.auth import requires

__all__ = ["router"]

CALL_SECONDS = 10.0
router = APIRouter(dependencies=[Depends(requires("any"))])
Form = Annotated[dict[str, str], Depends(form_of)]


@router.post("/do/replay-group")
async def replay_group(visit: Visiting, form: Form) -> Response:
    """Begin to replay a group, or the part of it that was parked within a time."""
    return await _begin(visit, "replay", form, {})


@router.post("/do/discard-group")
async def discard_group(visit: Visiting, form: Form) -> Response:
    """Begin to discard a group, with a reason."""
    return await _begin(visit, "discard", form, {"because": form.get("because", "")})


@router.post("/do/list-origin")
async def list_origin(visit: Visiting, form: Form) -> Response:
    """Add a web origin to the source, then replay what came from it."""
    must_open(visit, "parked")
    path = f"/v1/sources/{_id(form, 'source_id')}"
    ingest = visit.owners.public["ingest"]
    try:
        source = await ingest.call("GET", path, principal=visit.principal, timeout_seconds=CALL_SECONDS)
        origins = list(dict.fromkeys([*source["settings"].get("origins", ()), form.get("origin", "")]))
        await ingest.call(
            "PATCH",
            path,
            principal=visit.principal,
            json={"settings": {"origins": origins}},
            headers={"if-match": f'"{source["version"]}"', "idempotency-key": str(new_id())},
            timeout_seconds=CALL_SECONDS,
        )
    except AppError as error:
        return await _back(visit, Told("bad", _words(error)))
    return await _begin(visit, "replay", form, {})


@router.post("/do/stop-job")
async def stop_job(visit: Visiting, form: Form) -> Response:
    """End a job where it is."""
    must_open(visit, "parked")
    try:
        await _call(visit, f"/internal/replays/{_id(form, 'job_id')}/stop", {})
    except AppError as error:
        return await _back(visit, Told("bad", _words(error)))
    return await _back(visit, Told("good", "Stopped: what was dealt with stays so."))


async def _begin(visit: Visit, action: str, form: Mapping[str, str], more: Mapping[str, Any]) -> Response:
    must_open(visit, "parked")
    rate = form.get("rate", "")
    body: dict[str, Any] = {
        "action": action,
        "source_id": str(_id(form, "source_id")),
        "reason": form.get("reason", ""),
        **({"rate_per_second": int(rate)} if rate.isascii() and rate.isdigit() else {}),
        **{name: _instant(form, name) for name in ("since_at", "until_at") if form.get(name)},
        **more,
    }
    try:
        job = await _call(visit, "/internal/replays", body)
    except AppError as error:
        return await _back(visit, Told("bad", _words(error)))
    verb = "replayed" if action == "replay" else "discarded"
    return await _back(
        visit, Told("good", f"{job['total']} deliveries are being {verb}; the job goes on without this page.")
    )


async def _back(visit: Visit, told: Told) -> Response:
    if not visit.is_fragment:
        return RedirectResponse("/parked", status_code=303)
    return await draw_parked(visit, told=told, is_part=True, status=200 if told.kind == "good" else 422)


async def _call(visit: Visit, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON of ingest
    return await visit.owners.internal["ingest"].call(
        "POST",
        path,
        principal=visit.principal,
        json=body,
        headers={"idempotency-key": str(new_id())},
        timeout_seconds=CALL_SECONDS,
    )


def _id(form: Mapping[str, str], name: str) -> UUID:
    try:
        return UUID(form.get(name, ""))
    except ValueError as error:
        raise Unreadable("The form lacks its source or job: load the page again.") from error


def _instant(form: Mapping[str, str], name: str) -> str:
    """A local time of the form as an instant; the form says in which zone it was meant."""
    try:
        local = datetime.fromisoformat(form[name])
        at = local if local.tzinfo else local.replace(tzinfo=zone_of(form.get("zone", "UTC")))
        return at.isoformat()
    except (ValueError, OverflowError) as error:
        raise Unreadable("A time of the form cannot be read: load the page again.") from error


def _words(error: AppError) -> str:
    return " ".join([error.detail, *(one.message for one in error.errors)])
