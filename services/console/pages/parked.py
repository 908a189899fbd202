"""Parked: what all services set aside, asked of each when the page is drawn; deliveries by group, with their jobs too.

A delivery's body is shown whole to administrators alone; others see its shape, which is what mending a mapping needs.
"""

import asyncio
import json
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.console.domain.parked import (
    DeliveryGroup,
    JobRow,
    ParkedItem,
    delivery_group,
    groups_of,
    job_row,
    masked,
    parked_item,
)
from services.console.domain.rights import Role
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visit, Visiting, answer, frame, must_open
from shared.config import SERVICES
from shared.db.engine import reading
from shared.errors import AppError, NotFound

__all__ = ["draw_parked", "jobs_of", "router", "settle"]

router = APIRouter()

KEYS = keys_of([])
ASK_SECONDS = 2.0
LISTED_MOST = 100
JOBS_MOST = 5
BODIES_MOST = 40  # bodies are asked one by one; the rest shows its reason only


@router.get("/parked")
async def show_parked(visit: Visiting) -> HTMLResponse:
    """The page."""
    return await draw_parked(visit)


@router.get("/parked/jobs")
async def show_jobs(visit: Visiting) -> HTMLResponse:
    """The jobs, as the part of the page that asks again while one runs."""
    must_open(visit, "parked")
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    return answer("parts/parked_jobs.html", drawing, jobs=await jobs_of(visit), is_polled=True)


@router.get("/parked/deliveries/{parked_id}")
async def show_delivery(visit: Visiting, parked_id: UUID) -> HTMLResponse:
    """One parked delivery: what the door noted of it, and its body as far as this person may see it."""
    must_open(visit, "parked")
    found = await visit.owners.internal["ingest"].call(
        "GET", f"/internal/parked/{parked_id}", principal=visit.principal, timeout_seconds=ASK_SECONDS
    )
    noted = _noted(found["headers"])
    is_whole = Role(visit.user.role) is Role.ADMIN
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    return answer(
        "pages/parked_delivery.html",
        drawing,
        page_title="Parked delivery",
        page_name="parked",
        key_sheet=KEYS,
        item=parked_item("ingest", found),
        noted=noted,
        state=found["state"],
        size=found["payload_bytes"],
        is_whole=is_whole,
        body=found["payload"] if is_whole else masked(found["payload"]),
    )


async def draw_parked(
    visit: Visit, *, told: Told | None = None, is_part: bool = False, status: int = 200
) -> HTMLResponse:
    """The page or its work area, with what a command did."""
    must_open(visit, "parked")
    listed = await asyncio.gather(*(_of_service(visit, service) for service in SERVICES))
    items = [item for found in listed for item in found or ()]
    deliveries = await _delivery_groups(visit)
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    values: dict[str, Any] = {
        "groups": groups_of(items),
        "total": len(items) + sum(max(0, group.open - LISTED_MOST) for group in deliveries),
        "deliveries": deliveries,
        "jobs": await jobs_of(visit),
        "is_polled": is_part,
        "unreachable": [service for service, found in zip(SERVICES, listed, strict=True) if found is None],
        "told": told,
    }
    if is_part:
        return answer("parts/parked_work.html", drawing, status, **values)
    return answer(
        "pages/parked.html", drawing, status, page_title="Parked", page_name="parked", key_sheet=KEYS, **values
    )


async def settle(visit: Visit, *, service: str, parked_id: str, verb: str, key: str, reason: str) -> Told:
    """Replay or discard one parked event; the sentence to tell. Raises NotFound for a service that does not exist."""
    must_open(visit, "parked")
    client = visit.owners.internal.get(service)
    if client is None:
        raise NotFound("There is no such service.")
    try:
        await client.call(
            "POST",
            f"/internal/parked/{parked_id}/{verb}",
            principal=visit.principal,
            json={"reason": reason} if verb == "discard" else {},
            headers={"idempotency-key": key},
            timeout_seconds=10.0,
        )
    except AppError as error:
        return Told("bad", error.detail)
    return Told("good", "The event was replayed." if verb == "replay" else "The event was discarded.")


async def jobs_of(visit: Visit) -> list[JobRow]:
    """The newest jobs over parked deliveries; none when ingest does not answer."""
    found = await _ask_ingest(visit, "/internal/replays")
    return [job_row(one) for one in found.get("jobs", ())][:JOBS_MOST]


async def _delivery_groups(visit: Visit) -> list[DeliveryGroup]:
    found = await _ask_ingest(visit, "/internal/parked-groups")
    return [delivery_group(one) for one in found.get("groups", ()) if one["source_id"]]


async def _ask_ingest(visit: Visit, path: str) -> dict[str, Any]:
    try:
        found = await visit.owners.internal["ingest"].call(
            "GET", path, principal=visit.principal, timeout_seconds=ASK_SECONDS
        )
    except AppError:
        return {}
    return found if isinstance(found, dict) else {}


def _noted(headers: list[tuple[str, str]]) -> dict[str, Any]:
    """What the door wrote beside the body, without what proves or places anybody."""
    said = {name: value for name, value in headers}  # noqa: C416 - JSON has lists where dict() wants pairs
    try:
        request = json.loads(said.get("request", "{}"))
    except ValueError:
        return {}
    shown = ("sender", "method", "path", "verified_by", "received_at", "parked_as")
    noted = {name: request[name] for name in shown if request.get(name)}
    return {**noted, **{f"header {name}": value for name, value in (request.get("headers") or {}).items()}}


async def _of_service(visit: Visit, service: str) -> list[ParkedItem] | None:
    client = visit.owners.internal[service]
    try:
        found = await client.call(
            "GET",
            "/internal/parked",
            principal=visit.principal,
            params={"limit": LISTED_MOST},
            timeout_seconds=ASK_SECONDS,
        )
        rows = found["parked"]
        for row in rows[:BODIES_MOST]:
            shown = await client.call(
                "GET", f"/internal/parked/{row['id']}", principal=visit.principal, timeout_seconds=ASK_SECONDS
            )
            row["payload"] = shown.get("payload", "")
    except (AppError, KeyError):
        return None
    return [parked_item(service, row) for row in rows]
