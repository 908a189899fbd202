"""The SLA board: every running promise in view, by how near its deadline is. Filters live in the address."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.console.domain.board import BoardFilter, board_of
from services.console.domain.rights import Role
from services.console.pages.items import items_of, visible
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visit, Visiting, answer, frame, must_open, stream_address
from services.console.store import pages, people
from shared.db.engine import reading
from shared.errors import NotFound

__all__ = ["draw_board", "router"]

router = APIRouter()

KEYS = keys_of([(("/",), "Filter")])
_REASSIGNING = frozenset({Role.MANAGER, Role.REVOPS})


@router.get("/board")
async def show_board(visit: Visiting, tier: str = "", state: str = "", owner: str = "") -> HTMLResponse:
    """The page."""
    return await draw_board(visit, chosen=_filter(tier, state, owner))


@router.get("/board/work")
async def show_work(visit: Visiting, tier: str = "", state: str = "", owner: str = "") -> HTMLResponse:
    """The columns alone, after arrivals."""
    return await draw_board(visit, chosen=_filter(tier, state, owner), is_part=True)


@router.get("/board/reassign/{handoff_id}")
async def show_reassign(visit: Visiting, handoff_id: UUID) -> HTMLResponse:
    """The form that gives one handoff to another rep."""
    must_open(visit, "board")
    async with reading(visit.database) as tx:
        users = await people.users(tx)
        row = await pages.handoff(tx, handoff_id)
        if row is None or not visible([row], visit.viewer, users):
            raise NotFound("There is no handoff with this id in your view.")
        item = (await items_of(tx, [row]))[0]
        drawing = await frame(visit, tx, [item.lead.lead_id])
        return answer("parts/reassign_form.html", drawing, item=item, reps=_reps(drawing.users.values()))


async def draw_board(
    visit: Visit, *, chosen: BoardFilter, told: Told | None = None, is_part: bool = False, status: int = 200
) -> HTMLResponse:
    """The board as a page or as its columns, with what a command did."""
    must_open(visit, "board")
    async with reading(visit.database) as tx:
        address = await stream_address(tx, "board")  # before the rows: what changes meanwhile comes by the stream
        users = await people.users(tx)
        rows = visible(await pages.open_handoffs(tx), visit.viewer, users)
        items = await items_of(tx, rows)
        board = board_of(items, users=users, chosen=chosen)
        shown = [item.lead.lead_id for column in board.columns for item in column.items]
        drawing = await frame(visit, tx, shown)
        query = urlencode({name: value for name, value in _query(chosen).items() if value})
        values: dict[str, Any] = {
            "board": board,
            "chosen": chosen,
            "told": told,
            "may_reassign": visit.viewer.role in _REASSIGNING,
            "reps": _reps(users.values()),
            "away": await visit.owners.away_reps(principal=visit.principal),
            "board_address": "/board/work" + (f"?{query}" if query else ""),
        }
        if is_part:
            return answer("parts/board_work.html", drawing, status, **values)
        return answer(
            "pages/board.html",
            drawing,
            status,
            page_title="SLA board",
            page_name="board",
            key_sheet=KEYS,
            stream_address=address,
            **values,
        )


def _filter(tier: str, state: str, owner: str) -> BoardFilter:
    try:
        owner_id = UUID(owner) if owner else None
    except ValueError:
        owner_id = None
    return BoardFilter(tier or None, owner_id, state or None)


def _query(chosen: BoardFilter) -> dict[str, str]:
    owner = str(chosen.owner_id) if chosen.owner_id else ""
    return {"tier": chosen.tier or "", "state": chosen.state or "", "owner": owner}


def _reps(users: Any) -> list[Any]:  # noqa: ANN401  # users of a mapping
    return [user for user in users if user.role in {Role.REP.value, Role.MANAGER.value} and user.is_active]
