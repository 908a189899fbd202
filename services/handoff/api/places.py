"""Where handoffs wait and who shares them, over HTTP: queues, pools with their ledger, and routing decisions."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request

from services.handoff.api.seen import check_in_view, json_of
from services.handoff.domain.fairness import UNIT
from services.handoff.domain.routing import decided_by, explain, replay, reps_named, why_not
from services.handoff.store import pools, reads
from shared.db.engine import reading
from shared.errors import NotFound
from shared.ids import UserId
from shared.web.app_factory import database_of
from shared.web.auth import Principal, requires

__all__ = ["router"]

router = APIRouter(prefix="/v1")
Reader = Annotated[Principal, Depends(requires("leads:read"))]
Manager = Annotated[Principal, Depends(requires("handoffs:manage"))]


@router.get("/queues")
async def list_queues(request: Request, _: Reader) -> dict[str, Any]:
    """The queues: owner, how many wait, since when."""
    async with reading(database_of(request)) as tx:
        return {"queues": json_of([dict(row) for row in await reads.queues_shown(tx)])}


@router.get("/pools")
async def list_pools(request: Request, _: Reader) -> dict[str, Any]:
    """The pools: members with weight, load and the fairness ledger in leads."""
    async with reading(database_of(request)) as tx:
        rows = await reads.pools_shown(tx)
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        place = found.setdefault(
            row["pool"],
            {
                "name": row["pool"],
                "skills": orjson.loads(row["skills"]),
                "sequence": row["sequence"],
                "members": [],
            },
        )
        if row["rep_id"] is not None:
            entitled = row["entitled"] / UNIT
            gap = row["received"] - row["credited"] - entitled
            names = ("rep_id", "name", "weight", "load", "load_max", "leads_per_30_days", "received", "credited")
            place["members"].append(
                {name: row[name] for name in (*names, "is_away", "is_known")} | {"entitled": entitled, "gap": gap}
            )
    return {"pools": json_of(list(found.values()))}


@router.get("/routing-decisions/{decision_id}")
async def show_decision(
    request: Request, principal: Reader, decision_id: UUID, rep_id: UUID | None = None
) -> dict[str, Any]:
    """Why this rep, and why not the others: all that was read, asked and answered; with rep_id, why not that one."""
    async with reading(database_of(request)) as tx:
        row = await pools.decision_row(tx, decision_id)
        if row is None:
            raise NotFound("There is no routing decision with this id, or none in your view.")
        await check_in_view(tx, principal, row.handoff_id)
        names = await reads.rep_names(tx, [*reps_named(row.record), *([rep_id] if rep_id else [])])
    shown = {
        "id": row.id,
        "handoff_id": row.handoff_id,
        "lead_id": row.lead_id,
        "decided_at": row.decided_at,
        "agreement_id": row.agreement_id,
        "agreement_version": row.agreement_version,
        "rep_id": row.rep_id,
        "queue": row.queue,
        "pool": row.pool,
        "reason": row.reason,
        "decided_by": decided_by(row.record),
        "record": row.record,
        "explanation": explain(row.record, names=names),
    }
    if rep_id is not None:
        shown["why_not"] = why_not(row.record, UserId(rep_id), names=names)
    value: dict[str, Any] = json_of(shown)
    return value


@router.post("/routing-decisions/{decision_id}/replay")
async def replay_decision(request: Request, _: Manager, decision_id: UUID) -> dict[str, Any]:
    """Decide again from the stored inputs alone: the same answer, or what differs."""
    async with reading(database_of(request)) as tx:
        row = await pools.decision_row(tx, decision_id)
    if row is None:
        raise NotFound("There is no routing decision with this id.")
    replayed = replay(row.record)
    value: dict[str, Any] = json_of(
        {
            "id": decision_id,
            "is_same": replayed.is_same,
            "rep_id": replayed.result.rep_id,
            "queue": replayed.result.queue,
            "differences": list(replayed.differences),
            "newer_rules": list(replayed.newer_rules),
        }
    )
    return value
