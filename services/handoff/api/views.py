"""What callers read of handoffs in their view: lists, single ones, every input with its verdict, and the card.

Names are asked of ingest at each look; without it the card says so and shows the rest.
"""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from services.handoff.api.seen import check_in_view, json_of, row_value, view_of
from services.handoff.domain.stage import stage_of
from services.handoff.store import agreements, handoffs, leads, pools, reads
from services.handoff.store.reads import Filters
from shared.db.engine import ReadTx, reading
from shared.ids import HandoffId
from shared.web.app_factory import database_of
from shared.web.auth import Principal, requires
from shared.web.pages import PAGE_DEFAULT, Limit, cursor_of, moment_in, number_in, read_place
from shared.web.times import Moment

__all__ = ["router", "whole_value"]

router = APIRouter(prefix="/v1")
Reader = Annotated[Principal, Depends(requires("leads:read"))]
_SHOWN = 50


@router.get("/handoffs")
async def list_handoffs(
    request: Request,
    response: Response,
    principal: Reader,
    *,
    state: Annotated[list[str] | None, Query()] = None,
    owner_id: UUID | None = None,
    team_id: UUID | None = None,
    lead_id: UUID | None = None,
    account_id: UUID | None = None,
    queue: str | None = None,
    tier: str | None = None,
    is_open: bool | None = None,
    updated_since: Moment | None = None,
    cursor: str | None = None,
    limit: Limit = PAGE_DEFAULT,
) -> dict[str, Any]:
    """Handoffs in view, oldest opening first; with `updated_since` those changed at that moment or later.

    A change that commits late carries the moment it began: who reads "since the last time" goes back five minutes.
    """
    filters = Filters(
        state=tuple(state or ()),
        owner_id=owner_id,
        team_id=team_id,
        lead_id=lead_id,
        account_id=account_id,
        queue=queue,
        tier=tier,
        is_open=is_open,
        updated_since=updated_since,
    )
    after = read_place(cursor, moment_in, UUID)
    async with reading(database_of(request)) as tx:
        rows = await reads.list_handoffs(tx, view_of(principal), filters, after=after, limit=limit + 1)
        clocks = await reads.clocks_of_handoffs(tx, [row["id"] for row in rows[:limit]])
    shown = [row_value(row, clocks.get(row["id"], [])) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = cursor_of(last["opened_at"].isoformat(), last["id"])
        response.headers["link"] = f'<{request.url.include_query_params(cursor=following)}>; rel="next"'
    return {"handoffs": shown, "next": following}


@router.get("/handoffs/{handoff_id}")
async def show_handoff(request: Request, response: Response, principal: Reader, handoff_id: UUID) -> Any:  # noqa: ANN401
    """One handoff with its clocks, assignments, evidence and touches."""
    async with reading(database_of(request)) as tx:
        await check_in_view(tx, principal, handoff_id)
        value = await whole_value(tx, handoff_id)
    response.headers["etag"] = value["etag"]
    if request.headers.get("if-none-match") == value["etag"]:
        return Response(status_code=304, headers={"etag": value["etag"]})
    return json_of(value)


async def whole_value(tx: ReadTx, handoff_id: UUID) -> dict[str, Any]:
    """One handoff that exists, with all that belongs to it; whose it is was looked at before."""
    row = (await reads.list_by_ids(tx, [handoff_id]))[0]
    clocks = await reads.clocks_of_handoffs(tx, [handoff_id])
    return row_value(row, clocks.get(handoff_id, [])) | {
        "assignments": [dict(each) for each in await reads.assignments_of(tx, handoff_id)],
        "qualifications": [_evidence(each) for each in await reads.evidence_of(tx, handoff_id)],
        "touches": [dict(each) for each in await reads.touches_of(tx, handoff_id, limit=_SHOWN)],
        "notes": [dict(each) for each in await reads.notes_of(tx, handoff_id, limit=_SHOWN)],
        "routing_decisions": await pools.routing_decisions(tx, handoff_id),
        "stage": await _stage(tx, handoff_id),
    }


@router.get("/handoffs/{handoff_id}/events")
async def show_events(
    request: Request, principal: Reader, handoff_id: UUID, cursor: str | None = None, limit: Limit = PAGE_DEFAULT
) -> dict[str, Any]:
    """Every input it ever got, with actor, token seen, verdict and effects."""
    (after,) = read_place(cursor, number_in) or (0,)
    async with reading(database_of(request)) as tx:
        await check_in_view(tx, principal, handoff_id)
        rows = await reads.audit_of(tx, handoff_id, after=after, limit=limit + 1)
    shown = [
        {**row, "input": orjson.loads(row["input"]), "effects": orjson.loads(row["effects"])} for row in rows[:limit]
    ]
    following = cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"events": json_of(shown), "next": following}


async def _stage(tx: ReadTx, handoff_id: UUID) -> str | None:
    """The lifecycle stage its lead is shown in, as far as this handoff says."""
    kept = (await handoffs.load_handoffs(tx, [handoff_id])).get(HandoffId(handoff_id))
    if kept is None:
        return None
    lead = (await leads.read_leads(tx, [kept.handoff.lead_id])).get(kept.handoff.lead_id)
    terms = await agreements.terms_of(tx, kept.times.agreement_id, kept.times.agreement_version)
    floor = terms.document.criteria_of(kept.handoff.product).thresholds.engagement_floor
    facts = {} if lead is None else lead.facts
    is_suppressed = lead is not None and lead.is_suppressed
    return stage_of(kept.handoff, facts, is_suppressed=is_suppressed, engagement_floor=floor)


def _evidence(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    return {**row, "reasons": orjson.loads(row["reasons"]), "facts": orjson.loads(row["facts"])}
