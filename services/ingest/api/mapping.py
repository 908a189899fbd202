"""The mapping of a generic source, tried on what it delivered last, before it is set."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from services.ingest.api.parts import PartsOf
from services.ingest.domain.mapping import ROWS_MAX
from services.ingest.domain.source import settings_of
from services.ingest.store import sources
from services.ingest.usecases.mapping import check_mapping, dry_run
from shared.db.engine import reading
from shared.errors import FieldError, NotFound, Refused
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires

__all__ = ["router"]

router = APIRouter(prefix="/v1/sources", tags=["sources"])
Manager = Annotated[Principal, Depends(requires("sources:manage"))]
_MAPPED_SENDER = "generic"


class DryRunAsked(Asked):
    """A mapping to be tried; an empty one is what is understood without any."""

    mapping: dict[str, Any] = Field(
        default_factory=dict, max_length=ROWS_MAX, description="our field to a path, a constant, or a path with a table"
    )


class EventTried(Answered):
    """What one event would become: never a value of a person, only what there is."""

    operation: str
    kind: str
    name: str
    has_id: bool = Field(description="whether the mapping finds the sender's own id; without one we derive it")
    occurred_at: datetime
    time_flag: Literal["", "absent", "corrected", "future"]
    identifiers: list[str]
    fields: list[str]
    properties: list[str]
    answers: list[str]


class RefusalTried(Answered):
    """Why one event would not be taken."""

    index: int
    reason: str
    detail: str


class DeliveryTried(Answered):
    """What one delivery would become; error says why it would be parked."""

    received_at: datetime
    error: str
    events: list[EventTried]
    refusals: list[RefusalTried]


class DryRunShown(Answered):
    """The last deliveries of the source, newest first."""

    deliveries: list[DeliveryTried]


@router.post("/{source_id}/mapping/dry-run")
async def try_mapping(_: Manager, parts: PartsOf, source_id: UUID, asked: DryRunAsked) -> DryRunShown:
    """Try a mapping on the last 20 deliveries of the source among the newest 500 of each partition. No effect."""
    check_mapping(asked.mapping)
    async with reading(parts.database) as tx:
        row = await sources.source_row(tx, source_id)
    if row is None:
        raise NotFound("There is no source with this id; list them with GET /v1/sources.")
    if row["sender"] != _MAPPED_SENDER:
        error = FieldError("/mapping", "sender", f"only sources of {_MAPPED_SENDER} have a mapping")
        raise Refused("This sender is understood without a mapping.", errors=[error])
    kept = await parts.kept(source_id)
    tried = dry_run(settings_of(row["settings"]), asked.mapping, kept)
    return DryRunShown(
        deliveries=[
            DeliveryTried(
                received_at=one.received_at,
                error=one.error,
                events=[EventTried.model_validate(event) for event in one.events],
                refusals=[RefusalTried.model_validate(refusal) for refusal in one.refusals],
            )
            for one in tried
        ]
    )
