"""The handoff card: who it is, why now, by when, and the agreed next step, for a rep who has ten seconds.

Names are asked of ingest at each look and kept nowhere; without it the card says so and shows the rest.
"""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request

from services.handoff.api.seen import check_in_view, json_of, row_value
from services.handoff.store import leads, reads
from shared.db.engine import reading
from shared.errors import AppError, NotFound
from shared.ids import LeadId
from shared.web.app_factory import database_of
from shared.web.auth import Principal, requires
from shared.web.service_client import ServiceClient

__all__ = ["router"]

router = APIRouter(prefix="/v1")
Reader = Annotated[Principal, Depends(requires("leads:read"))]
_REASONS_SHOWN = 3
_TOUCHES_SHOWN = 5
_ASK_SECONDS = 1.5  # a card without a name is better than a rep who waits
_NEXT_STEP = {
    "assigned": "Accept it, or reject it with a reason, before the clock ends.",
    "accepted": "Try to reach the lead before the clock ends; log the call or mail.",
    "working": "Dispose of it: opportunity, recycle, disqualify or return.",
    "queued": "Pull it, or wait until load is freed.",
    "opportunity": "Keep the deal in the CRM up to date.",
    "nurture": "Marketing enrols it in a programme.",
}


@router.get("/handoffs/{handoff_id}/card")
async def show_card(request: Request, principal: Reader, handoff_id: UUID) -> dict[str, Any]:
    """The card of one handoff."""
    async with reading(database_of(request)) as tx:
        await check_in_view(tx, principal, handoff_id)
        row = (await reads.list_by_ids(tx, [handoff_id]))[0]
        clocks = await reads.clocks_of_handoffs(tx, [handoff_id])
        evidence = await reads.evidence_of(tx, handoff_id)
        touches = await reads.touches_of(tx, handoff_id, limit=_TOUCHES_SHOWN)
        lead = (await leads.read_leads(tx, [row["lead_id"]])).get(LeadId(row["lead_id"]))
        account = {} if row["account_id"] is None else await leads.account_facts(tx, [row["account_id"]])
    if lead is None:
        raise NotFound("There is no lead behind this handoff any more.")
    running = [each for each in clocks.get(handoff_id, []) if each["state"] == "armed"]
    newest = evidence[0] if evidence else None
    card = {
        "handoff": row_value(row, running),
        "who": await _who(request.app.state.ingest, lead.id, is_erased=lead.is_erased),
        "score": None if newest is None else {name: newest[name] for name in ("score", "fit", "engagement")},
        "why_now": [] if newest is None else orjson.loads(newest["reasons"])[:_REASONS_SHOWN],
        "account": dict(next(iter(account.values()), {})),
        "last_touches": [dict(each) for each in touches],
        "next_step": _NEXT_STEP.get(row["state"], ""),
        "due_at": min((each["due_at"] for each in running), default=None),
    }
    value: dict[str, Any] = json_of(card)
    return value


async def _who(ingest: ServiceClient | None, lead_id: LeadId, *, is_erased: bool) -> dict[str, Any]:
    """The names of the lead, or that there are none now."""
    if is_erased:
        return {"is_available": False, "because": "erased"}
    if ingest is None:
        return {"is_available": False, "because": "ingest is not connected"}
    body = {"lead_ids": [str(lead_id)], "purpose": "card"}
    try:
        answer = await ingest.call("POST", "/internal/profiles", json=body, timeout_seconds=_ASK_SECONDS)
    except AppError:
        return {"is_available": False, "because": "name not available now"}
    profile = next((each for each in answer["profiles"] if each["lead_id"] == str(lead_id)), None)
    return {"is_available": profile is not None, **(profile or {})}
