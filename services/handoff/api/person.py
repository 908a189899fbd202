"""What handoff keeps of one person, for ingest's export: handoffs with notes and touches, and who was told."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from services.handoff.api.seen import json_of
from services.handoff.api.views import whole_value
from services.handoff.store import recipients
from shared.db.engine import reading
from shared.web.app_factory import Asked, database_of
from shared.web.auth import Principal, requires

__all__ = ["router"]

router = APIRouter(prefix="/internal")
MEMBERS_MOST = 50  # of one person (DECISIONS 1)


class PersonAsked(Asked):
    """One person: the root and all members."""

    lead_ids: list[Annotated[UUID, Field(strict=False)]] = Field(
        min_length=1, max_length=MEMBERS_MOST, description="the leads of the person"
    )


@router.post("/person")
async def show_person(
    request: Request, _: Annotated[Principal, Depends(requires("service"))], asked: PersonAsked
) -> Any:  # noqa: ANN401
    """Every handoff in full, and each recipient once; the names are ingest's."""
    async with reading(database_of(request)) as tx:
        ids = await recipients.handoffs_of_people(tx, asked.lead_ids)
        handoffs = [_of_these(await whole_value(tx, each), asked.lead_ids) for each in ids]
        told = await recipients.recipients_of_people(tx, asked.lead_ids)
    return json_of({"handoffs": handoffs, "recipients": told})


def _of_these(value: dict[str, Any], lead_ids: list[UUID]) -> dict[str, Any]:
    """A handoff of an account is qualified by several people; the others are nobody's business here."""
    return value | {"qualifications": [one for one in value["qualifications"] if one["lead_id"] in lead_ids]}
