"""Disputes over HTTP: contest a handoff, rule for one's team."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.feedback.api.parts import person_of, team_of
from services.feedback.domain.disputes import Ruling
from services.feedback.store import disputes
from services.feedback.store.disputes import DisputeRow
from services.feedback.usecases.disputes import open_dispute, rule_dispute
from shared.db.engine import Tx, reading
from shared.web.app_factory import Asked, DatabaseOf
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command

router = APIRouter()
Reader = Annotated[Principal, Depends(requires("reports:read"))]
Opener = Annotated[Principal, Depends(requires("disputes:open"))]
Ruler = Annotated[Principal, Depends(requires("disputes:rule"))]

DISPUTES_MOST = 200


class DisputeAsked(Asked):
    """What is contested, on which agreed ground."""

    handoff_id: UUID = Field(strict=False, description="the handoff")
    ground: str = Field(min_length=1, max_length=100, description="an agreed reason of rejection")


class RulingAsked(Asked):
    """One team's ruling."""

    ruling: Literal["upheld", "denied"] = Field(description="whether the rep is right")
    is_credited: bool = Field(False, description="the fairness ledger gives the lead back")


@router.get("/v1/disputes")
async def get_disputes(_: Reader, database: DatabaseOf) -> dict[str, Any]:
    """Disputes, newest first."""
    async with reading(database) as tx:
        rows = await disputes.disputes(tx, most=DISPUTES_MOST)
    return {"disputes": [dispute_json(row) for row in rows]}


@router.post("/v1/disputes", status_code=201)
async def post_dispute(asked: DisputeAsked, request: Request, principal: Opener, database: DatabaseOf) -> Response:
    """Contest a handoff one owned."""

    async def run(tx: Tx) -> Answer:
        row = await open_dispute(tx, asked.handoff_id, rep_id=person_of(principal), ground=asked.ground)
        return Answer(201, dispute_json(row))

    return await command(request, database, principal, run)


@router.post("/v1/disputes/{dispute_id}/rulings", status_code=201)
async def post_ruling(
    dispute_id: UUID, asked: RulingAsked, request: Request, principal: Ruler, database: DatabaseOf
) -> Response:
    """Rule for one's team; both teams' equal rulings settle it."""

    async def run(tx: Tx) -> Answer:
        ruling = Ruling(
            team=team_of(principal),
            user_id=person_of(principal),
            verdict=asked.ruling,
            is_credited=asked.is_credited,
            ruled_at=tx.now,
        )
        return Answer(201, dispute_json(await rule_dispute(tx, dispute_id, ruling)))

    return await command(request, database, principal, run)


def dispute_json(row: DisputeRow) -> dict[str, Any]:
    """A dispute as the API shows it."""
    return {
        "dispute_id": row.dispute_id,
        "handoff_id": row.handoff_id,
        "lead_id": row.lead_id,
        "rep_id": row.rep_id,
        "ground": row.ground,
        "opened_at": row.opened_at,
        "rulings": [
            {"team": each.team, "user_id": each.user_id, "ruling": each.verdict, "is_credited": each.is_credited}
            for each in row.rulings
        ],
        "ruling": row.ruling,
        "is_credited": row.is_credited,
        "ruled_at": row.ruled_at,
    }
