"""Parked deliveries by group, what a change of settings would make of them, and the jobs that settle many at once.

On the internal port, beside the runtime's own routes for single ones. Nothing here shows a body: a dry run tells kinds
and which identifiers there are, never their values.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends
from pydantic import Field

from services.ingest.api.parts import Parts
from services.ingest.domain.source import settings_of
from services.ingest.store import parked, replays, sources
from services.ingest.store.parked import StoredDelivery
from services.ingest.store.replays import Job
from services.ingest.usecases.replaying import RATE_DEFAULT, RATE_MAX, begin_job
from services.ingest.usecases.replaying import Asked as JobWanted
from services.ingest.usecases.trying import Tried, try_settings
from shared.contracts.deliveries import REQUEST_HEADER
from shared.db.engine import reading, transaction
from shared.errors import NotFound
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires

__all__ = ["parked_router"]

Operator = Annotated[Principal, Depends(requires("parked:act"))]
_TRIED_MAX: Final = 20


class GroupShown(Answered):
    """Open parked deliveries of one source for one reason; the origins and samples are of the newest."""

    source_id: str
    source_name: str
    sender: str
    reason: str
    detail: str
    open: int
    first_at: datetime
    last_at: datetime
    origins: list[str]
    samples: list[UUID]


class JobAsked(Asked):
    """Which parked deliveries to replay or to discard, or which kept ones to feed again; all parts given must fit."""

    action: Literal["replay", "discard", "feed"]
    source_id: UUID | None = Field(None, strict=False)
    reason: str | None = Field(None, min_length=1, max_length=100, description="why they were parked")
    since_at: datetime | None = Field(None, strict=False, description="parked, or of kept ones received, at or after")
    until_at: datetime | None = Field(None, strict=False, description="parked at or before; else now")
    rate_per_second: int = Field(RATE_DEFAULT, ge=1, le=RATE_MAX)
    because: str | None = Field(None, min_length=3, max_length=500, description="why they are discarded; it stays")


class JobShown(Answered):
    """How far a job is: of `total` open at its start `done` are settled, `failed` are parked still."""

    id: UUID
    action: str
    source_id: str | None
    reason: str | None
    since_at: datetime | None
    until_at: datetime
    rate_per_second: int
    because: str | None
    state: Literal["running", "done", "stopped"]
    total: int
    done: int
    failed: int
    last_error: str
    by: str
    created_at: datetime
    updated_at: datetime


class TrialAsked(Asked):
    """Settings to try, as a merge patch over those of the source; {} tries them as they are."""

    settings: dict[str, Any] = Field(default_factory=dict, max_length=50)


class TrialShown(Answered):
    """What one parked delivery would become."""

    parked_id: UUID
    is_read: bool
    error: str
    events: list[dict[str, Any]]
    refusals: list[dict[str, Any]]


def parked_router(parts: Parts) -> APIRouter:
    """The routes over many parked deliveries."""
    router = APIRouter(prefix="/internal", tags=["parked"])

    @router.get("/parked-groups")
    async def list_groups(_: Operator) -> dict[str, list[GroupShown]]:
        """By source and reason, the largest first."""
        async with reading(parts.database) as tx:
            groups = await parked.open_groups(tx)
            known = {str(row["id"]): row for row in await sources.all_sources(tx)}
            shown = [
                _group(one, known.get(one["source"]), await parked.samples_of(tx, one["source"], reason=one["reason"]))
                for one in groups
            ]
        return {"groups": shown}

    @router.post("/parked-groups/{source_id}/try")
    async def try_group(_: Operator, source_id: UUID, asked: TrialAsked) -> dict[str, list[TrialShown]]:
        """Read the newest parked deliveries of a source as if it had these settings; nothing is changed."""
        async with reading(parts.database) as tx:
            row = await sources.source_row(tx, source_id)
            if row is None:
                raise NotFound("There is no source with this id; list them with GET /v1/sources.")
            stored = await parked.samples_of(tx, str(source_id), most=_TRIED_MAX)
        settings = settings_of({**row["settings"], **asked.settings})
        return {"tried": [_trial(one, try_settings(one, settings)) for one in stored]}

    @router.post("/replays", status_code=202)
    async def post_job(principal: Operator, asked: JobAsked) -> JobShown:
        """Begin a job; follow it with GET on its id."""
        wanted = JobWanted(
            action=asked.action,
            source=None if asked.source_id is None else str(asked.source_id),
            reason=asked.reason,
            since_at=asked.since_at,
            until_at=asked.until_at,
            rate_per_second=asked.rate_per_second,
            because=asked.because,
        )
        async with transaction(parts.database, "command") as tx:
            job_id = await begin_job(tx, wanted, by=f"{principal.kind}:{principal.id}")
            return _job(await replays.job(tx, job_id))

    @router.get("/replays")
    async def list_jobs(_: Operator) -> dict[str, list[JobShown]]:
        """The newest jobs."""
        async with reading(parts.database) as tx:
            return {"jobs": [_job(one) for one in await replays.jobs(tx)]}

    @router.get("/replays/{job_id}")
    async def get_job(_: Operator, job_id: UUID) -> JobShown:
        """How far one is."""
        async with reading(parts.database) as tx:
            return _job(await replays.job(tx, job_id))

    @router.post("/replays/{job_id}/stop")
    async def stop_job(_: Operator, job_id: UUID) -> JobShown:
        """End it where it is; what is settled stays settled."""
        async with transaction(parts.database, "command") as tx:
            await replays.stop_job(tx, job_id)
            return _job(await replays.job(tx, job_id))

    return router


def _group(row: Mapping[str, Any], source: Mapping[str, Any] | None, samples: Sequence[StoredDelivery]) -> GroupShown:
    return GroupShown(
        source_id=row["source"],
        source_name="" if source is None else source["name"],
        sender="" if source is None else source["sender"],
        **{name: row[name] for name in ("reason", "detail", "open", "first_at", "last_at")},
        origins=sorted({origin for one in samples if (origin := _origin(one))}),
        samples=[one.parked_id for one in samples],
    )


def _origin(stored: StoredDelivery) -> str:
    """The web origin the door noted, of a delivery from a page that no source lists."""
    try:
        request = orjson.loads(dict(stored.headers)[REQUEST_HEADER])
        return str(request["headers"].get("origin", ""))
    except (KeyError, ValueError, TypeError, AttributeError):
        return ""


def _trial(stored: StoredDelivery, tried: Tried) -> TrialShown:
    return TrialShown(
        parked_id=stored.parked_id,
        is_read=not tried.error,
        error=tried.error,
        events=[dict(one) for one in tried.events],
        refusals=[dict(one) for one in tried.refusals],
    )


def _job(found: Job | None) -> JobShown:
    if found is None:
        raise NotFound("There is no such job; GET /internal/replays lists the newest.")
    values = {name: getattr(found, name) for name in JobShown.model_fields if name != "source_id"}
    return JobShown.model_validate({**values, "source_id": found.source})
