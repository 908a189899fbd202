"""Parked: what all services set aside, asked of each when the page is drawn; replay or discard, one at a time."""

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.console.domain.parked import ParkedItem, groups_of, parked_item
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visit, Visiting, answer, frame, must_open
from shared.config import SERVICES
from shared.db.engine import reading
from shared.errors import AppError, NotFound

__all__ = ["draw_parked", "router", "settle"]

router = APIRouter()

KEYS = keys_of([])
ASK_SECONDS = 2.0
LISTED_MOST = 100
BODIES_MOST = 40  # bodies are asked one by one; the rest shows its reason only


@router.get("/parked")
async def show_parked(visit: Visiting) -> HTMLResponse:
    """The page."""
    return await draw_parked(visit)


async def draw_parked(
    visit: Visit, *, told: Told | None = None, is_part: bool = False, status: int = 200
) -> HTMLResponse:
    """The page or its work area, with what a command did."""
    must_open(visit, "parked")
    listed = await asyncio.gather(*(_of_service(visit, service) for service in SERVICES))
    items = [item for found in listed for item in found or ()]
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    values: dict[str, Any] = {
        "groups": groups_of(items),
        "total": len(items),
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
