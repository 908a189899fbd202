"""What can be connected, as the adapters say it, and how one source stands: hours, refused events, what is parked.

Nothing here lists senders by itself. Ids of a sender's events may name people: only those who may read leads see them.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from services.ingest.api.parts import PartsOf
from services.ingest.store import sources, standing
from services.ingest.usecases.sources import CONNECTED_SENDERS
from shared.db.engine import reading
from shared.errors import NotFound
from shared.web.app_factory import Answered
from shared.web.auth import Principal, requires

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["sources"])
Reader = Annotated[Principal, Depends(requires("sources:read"))]


class SenderShown(Answered):
    """One kind of outside system that can be connected."""

    sender: str
    title: str
    proof: str
    setup: list[str]
    kinds: dict[str, str]
    statuses: list[str]


class HourShown(Answered):
    """What was handled of a source within one hour."""

    hour: datetime
    deliveries: int
    events: int
    refused: int


class SampleShown(Answered):
    """One refused event: its place in its delivery, its id where the caller may see it, and what is wrong."""

    index: int
    detail: str
    event_id: str | None
    refused_at: datetime


class RefusalShown(Answered):
    """One reason for which events were not taken within the last week."""

    reason: str
    refused: int
    last_at: datetime
    samples: list[SampleShown]


class ParkedShown(Answered):
    """Deliveries of the source that wait for a person, by reason."""

    reason: str
    open: int
    last_at: datetime


class StandingShown(Answered):
    """How one source stands."""

    last_received_at: datetime | None
    hours: list[HourShown]
    refusals: list[RefusalShown]
    parked: list[ParkedShown]


@router.get("/senders")
async def list_senders(_: Reader) -> dict[str, list[SenderShown]]:
    """Every sender that an adapter was found for, by its title."""
    found = [
        SenderShown(
            sender=name,
            title=adapter.TITLE,
            proof=adapter.PROOF,
            setup=list(adapter.SETUP),
            kinds=dict(adapter.KINDS),
            statuses=list(adapter.STATUSES),
        )
        for name, adapter in CONNECTED_SENDERS.items()
    ]
    return {"senders": sorted(found, key=lambda one: one.title.lower())}


@router.get("/sources/{source_id}/standing")
async def get_standing(principal: Reader, parts: PartsOf, source_id: UUID) -> StandingShown:
    """The last day by hour, the refused events of the last week by reason, and what is parked."""
    async with reading(parts.database) as tx:
        if await sources.source_row(tx, source_id) is None:
            raise NotFound("There is no source with this id; list them with GET /v1/sources.")
        last = await standing.last_deliveries(tx, [source_id])
        hours = await standing.hours_of(tx, source_id)
        refusals = await standing.refusals_of(tx, source_id)
        parked = await standing.parked_of(tx, source_id)
    if not principal.may("leads:write"):
        refusals = [{**one, "samples": [{**sample, "event_id": None} for sample in one["samples"]]} for one in refusals]
    return StandingShown(
        last_received_at=last.get(source_id),
        hours=[HourShown(**one) for one in hours],
        refusals=[RefusalShown(**one) for one in refusals],
        parked=[ParkedShown(**one) for one in parked],
    )
