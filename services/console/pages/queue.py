"""My queue: the next lead large, the rest as a list. After each command the whole work area is drawn again."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.console.domain.agreement import in_force
from services.console.domain.queue import MINE, queue_of
from services.console.domain.timeline import timeline_of
from services.console.pages.items import items_of
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visit, Visiting, answer, frame, must_open, reason_choices, stream_address
from services.console.store import leaving, pages
from shared.db.engine import reading

__all__ = ["draw_queue", "router"]

router = APIRouter()

RECENT_LINES = 6
KEYS = keys_of(
    [
        (("1",), "Accept"),
        (("2",), "Duplicate"),
        (("3",), "Reject with a reason"),
        (("T",), "Log a touch"),
        (("H",), "Pause or resume"),
        (("D",), "Record what became of it"),
        (("Z",), "Undo"),
    ]
)


@router.get("/queue")
async def show_queue(visit: Visiting, handoff: UUID | None = None) -> HTMLResponse:
    """The page."""
    return await draw_queue(visit, focus=handoff)


@router.get("/queue/work")
async def show_work(visit: Visiting, handoff: UUID | None = None) -> HTMLResponse:
    """The work area alone, for another lead in front or after arrivals."""
    return await draw_queue(visit, focus=handoff, is_part=True)


async def draw_queue(
    visit: Visit, *, focus: UUID | None = None, told: Told | None = None, is_part: bool = False, status: int = 200
) -> HTMLResponse:
    """My queue as a page or as its work area, with what a command did."""
    must_open(visit, "queue")
    async with reading(visit.database) as tx:
        address = await stream_address(tx, "queue")  # before the rows: what changes meanwhile comes by the stream
        open_rows = await pages.open_handoffs(tx, owner_id=visit.user.user_id)
        mine = [row for row in open_rows if row.state in MINE]
        going = await leaving.leaving_of(tx, visit.user.user_id)
        queue = queue_of(await items_of(tx, mine), focus=focus, leaving=going)
        unsent = await leaving.unsent_of(tx, visit.user.user_id)
        shown = [item.lead.lead_id for item in queue.items] + [row.lead_id for row in unsent]
        drawing = await frame(visit, tx, shown)
        values: dict[str, Any] = {
            "queue": queue,
            "told": told,
            "leaving": going,
            "unsent": unsent,
            "reasons": reason_choices(in_force(await pages.agreements(tx), now=tx.now)),
            "recent": (),
            "suggested": "",
        }
        if queue.next is not None:
            rows = await pages.timeline_of(tx, [queue.next.lead.lead_id, queue.next.handoff.lead_id], limit=40)
            values["recent"] = timeline_of(rows, users=drawing.users)[:RECENT_LINES]
        if is_part:
            return answer("parts/queue_work.html", drawing, status, **values)
        return answer(
            "pages/queue.html",
            drawing,
            status,
            page_title="My queue",
            page_name="queue",
            key_sheet=KEYS,
            stream_address=address,
            **values,
        )
