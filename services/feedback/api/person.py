"""What feedback keeps of one person, for ingest's export: outcomes, and disputes about the handoffs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from services.feedback.api.disputes import dispute_json
from services.feedback.api.outcomes import outcome_json
from services.feedback.store import disputes, outcomes
from shared.db.engine import reading
from shared.web.app_factory import Asked, DatabaseOf
from shared.web.auth import Principal, requires

__all__ = ["router"]

router = APIRouter(prefix="/internal")
MEMBERS_MOST = 50  # of one person (DECISIONS 1)


class PersonAsked(Asked):
    """One person: the root and all members."""

    lead_ids: list[Annotated[UUID, Field(strict=False)]] = Field(min_length=1, max_length=MEMBERS_MOST)


@router.post("/person")
async def show_person(
    _: Annotated[Principal, Depends(requires("service"))], database: DatabaseOf, asked: PersonAsked
) -> dict[str, Any]:
    """Ids, results and reasons; the names are ingest's."""
    async with reading(database) as tx:
        results = await outcomes.outcomes_of(tx, asked.lead_ids)
        contested = await disputes.disputes_of(tx, asked.lead_ids)
    return {"outcomes": [outcome_json(row) for row in results], "disputes": [dispute_json(row) for row in contested]}
