"""What became of it, told by Sales and CRMs: outcomes, deals by version, CSV files of outcomes and spend."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.feedback.domain.disposition import Result
from services.feedback.store import outcomes, people
from services.feedback.store.outcomes import OpportunityRow, OutcomeRow
from services.feedback.usecases.imports import import_outcomes, import_spend, preview_spend
from services.feedback.usecases.outcomes import (
    Reported,
    opportunity_or_missing,
    record_churn,
    record_opportunity,
)
from shared.db.engine import Database, Tx, reading, transaction
from shared.errors import FieldError, NotFound, Refused, UnsupportedMedia
from shared.web.app_factory import Asked, DatabaseOf
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command, etag_of
from shared.web.pages import PAGE_DEFAULT, PAGE_MOST, cursor_of, moment_in, read_place
from shared.web.times import Moment

SPEND_BYTES_MAX = 4 * 1024 * 1024  # five thousand long lines
router = APIRouter()
Writer = Annotated[Principal, Depends(requires("outcomes:write"))]
Reader = Annotated[Principal, Depends(requires("leads:read"))]

TEXT_MOST = 200
EVER = datetime(1970, 1, 1, tzinfo=UTC)
MINOR_MOST = 10**12
RESULT_OF: dict[str, Result] = {"opportunity": "open", "won": "won", "lost": "lost"}


class OpportunityAsked(Asked):
    """One state of a deal."""

    lead_id: UUID = Field(strict=False, description="the lead it came from")
    result: Literal["open", "won", "lost"] = Field(description="open, won or lost")
    occurred_at: Moment = Field(strict=False, description="when it came to this state")
    object_version: int | None = Field(None, ge=1, le=2**31 - 1, description="version there; left out: the next one")
    handoff_id: UUID | None = Field(None, strict=False, description="the handoff; left out: the person's newest")
    account_id: UUID | None = Field(None, strict=False, description="the account")
    crm_status: str = Field("", max_length=TEXT_MOST, description="the CRM's own status")
    reason_code: str = Field("", max_length=TEXT_MOST, description="why it was lost, an agreed reason")
    amount_minor: int | None = Field(None, ge=-MINOR_MOST, le=MINOR_MOST, description="amount in minor units")
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description="ISO 4217")
    tags: list[str] = Field(default_factory=list, max_length=20, description="free labels")


class OutcomeAsked(Asked):
    """One thing that became of a lead."""

    lead_id: UUID = Field(strict=False, description="the lead")
    what: Literal["opportunity", "won", "lost", "churned"] = Field(description="what became of it")
    occurred_at: Moment = Field(strict=False, description="when it happened")
    handoff_id: UUID | None = Field(None, strict=False, description="the handoff; left out: the person's newest")
    source: str = Field("api", pattern="^[a-z0-9_-]{1,40}$", description="which system says so")
    object: str | None = Field(
        None, min_length=1, max_length=TEXT_MOST, description="the deal there; default: the lead"
    )
    object_version: int | None = Field(None, ge=1, le=2**31 - 1, description="its version there")
    reason_code: str = Field("", max_length=TEXT_MOST, description="an agreed reason")
    amount_minor: int | None = Field(None, ge=-MINOR_MOST, le=MINOR_MOST, description="amount in minor units")
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description="ISO 4217")
    tags: list[str] = Field(default_factory=list, max_length=20, description="free labels")


class OutcomesQuery(BaseModel):
    """Whose outcomes, or since when, page by page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lead_id: UUID | None = None
    updated_since: Moment | None = None
    cursor: str | None = None
    limit: int = PAGE_DEFAULT


@router.post("/v1/outcomes", status_code=201)
async def post_outcomes(request: Request, principal: Writer, database: DatabaseOf) -> Response:
    """Record one outcome (JSON), or a file of them (text/csv)."""
    if _is_csv(request):
        content = await request.body()
        async with transaction(database, "command") as tx:
            answer = await import_outcomes(tx, content)
        return _json(answer, status=200)
    asked = _asked(await request.body())
    _check(asked.amount_minor, asked.currency)
    reported = Reported(
        system=asked.source,
        external_id=asked.object or str(asked.lead_id),
        lead_id=asked.lead_id,
        result=RESULT_OF.get(asked.what, "open"),
        occurred_at=asked.occurred_at,
        object_version=asked.object_version,
        handoff_id=asked.handoff_id,
        reason_code=asked.reason_code,
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        tags=tuple(asked.tags),
    )

    async def run(tx: Tx) -> Answer:
        if asked.what == "churned":
            return Answer(201, outcome_json(await record_churn(tx, reported)))
        deal, _ = await record_opportunity(tx, reported)
        row = await outcomes.outcome_by_id(tx, deal.outcome_id)
        assert row is not None
        return Answer(201, outcome_json(row))

    return await command(request, database, principal, run)


@router.put("/v1/opportunities/{system}/{external_id}")
async def put_opportunity(
    asked: OpportunityAsked, system: str, external_id: str, _: Writer, database: DatabaseOf
) -> Response:
    """Report a deal's state; repeat-safe by its version: 201 new, 200 changed, repeated or old."""
    _check(asked.amount_minor, asked.currency)
    reported = Reported(
        system=system,
        external_id=external_id,
        lead_id=asked.lead_id,
        result=asked.result,
        occurred_at=asked.occurred_at,
        object_version=asked.object_version,
        handoff_id=asked.handoff_id,
        account_id=asked.account_id,
        crm_status=asked.crm_status,
        reason_code=asked.reason_code,
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        tags=tuple(asked.tags),
    )
    async with transaction(database, "command") as tx:
        row, verdict = await record_opportunity(tx, reported)
    body = opportunity_json(row) | {"verdict": verdict}
    return _json(body, status=201 if verdict == "created" else 200, etag=etag_of(row.object_version))


@router.get("/v1/opportunities/{system}/{external_id}")
async def get_opportunity(system: str, external_id: str, _: Reader, database: DatabaseOf) -> dict[str, Any]:
    """A deal as last reported."""
    async with reading(database) as tx:
        return opportunity_json(await opportunity_or_missing(tx, system, external_id))


@router.get("/v1/outcomes/{outcome_id}")
async def get_outcome(outcome_id: UUID, _: Reader, database: DatabaseOf) -> dict[str, Any]:
    """One recorded outcome, current or superseded."""
    async with reading(database) as tx:
        row = await outcomes.outcome_by_id(tx, outcome_id)
    if row is None:
        raise NotFound("There is no such outcome.")
    return outcome_json(row)


@router.get("/v1/outcomes")
async def get_outcomes(query: Annotated[OutcomesQuery, Query()], _: Reader, database: DatabaseOf) -> dict[str, Any]:
    """Outcomes in the order we learned them: all of one person, or since a moment (inclusive) page by page.

    A writer that commits late carries the moment it began: who reads "since the last time" goes back five minutes.
    """
    if query.lead_id is not None:
        return await _of_person(database, query.lead_id)
    since = query.updated_since or EVER
    after = read_place(query.cursor, moment_in, UUID) or (EVER, UUID(int=0))
    size = max(1, min(query.limit, PAGE_MOST))
    async with reading(database) as tx:
        rows = await outcomes.learned_since(tx, since, after=after, most=size)
    last = rows[-1] if len(rows) == size else None
    return {
        "outcomes": [outcome_json(row) for row in rows],
        "next": None if last is None else cursor_of(last.recorded_at.isoformat(), last.outcome_id),
    }


@router.post("/v1/spend", status_code=202, max_body_size=SPEND_BYTES_MAX)
async def post_spend(
    request: Request,
    _: Writer,
    database: DatabaseOf,
    map: Annotated[  # noqa: A002 - the parameter's name
        list[str], Query(max_length=100, description="`Heading=column`; nothing behind `=` leaves it out")
    ] = [],  # noqa: B006 - the framework copies it
) -> Response:
    """Import a CSV of spend; the same file again adds nothing."""
    content, mapping = await _spend_asked(request, map)
    async with transaction(database, "command") as tx:
        answer = await import_spend(tx, content, mapping=mapping)
    return _json(answer, status=202)


@router.post("/v1/spend/preview", max_body_size=SPEND_BYTES_MAX)
async def post_spend_preview(
    request: Request,
    _: Writer,
    map: Annotated[  # noqa: A002 - the parameter's name
        list[str], Query(max_length=100, description="`Heading=column`; nothing behind `=` leaves it out")
    ] = [],  # noqa: B006 - the framework copies it
) -> Response:
    """What a CSV of spend would become; nothing is kept of it."""
    content, mapping = await _spend_asked(request, map)
    return _json(preview_spend(content, mapping=mapping), status=200)


async def _spend_asked(request: Request, said: list[str]) -> tuple[bytes, dict[str, str]]:
    """The file and its mapping. Raises UnsupportedMedia for what is no CSV, Refused for a mapping of another form."""
    if not _is_csv(request):
        raise UnsupportedMedia("Send text/csv with the columns since_on, until_on, amount, currency, source, campaign.")
    pairs = [one.partition("=") for one in said]
    if any(not heading.strip() or not sign for heading, sign, _ in pairs):
        error = FieldError("/map", "form", "Heading=column")
        raise Refused("A mapping is written Heading=column.", errors=[error])
    return await request.body(), {heading.strip(): column.strip() for heading, _, column in pairs}


async def _of_person(database: Database, lead_id: UUID) -> dict[str, Any]:
    async with reading(database) as tx:
        members = await people.members_of(tx, [lead_id])
        rows = await outcomes.outcomes_of(tx, members or [lead_id])
    superseded = {row.supersedes for row in rows}
    listed = [outcome_json(row) | {"is_current": row.outcome_id not in superseded} for row in rows]
    return {"outcomes": listed, "next": None}


def outcome_json(row: OutcomeRow) -> dict[str, Any]:
    """An outcome as the API shows it."""
    return {name: getattr(row, name) for name in OutcomeRow.__slots__}


def opportunity_json(row: OpportunityRow) -> dict[str, Any]:
    """A deal as the API shows it."""
    return {name: getattr(row, name) for name in OpportunityRow.__slots__ if name != "body_sha256"}


def _asked(body: bytes) -> OutcomeAsked:
    """The JSON body; read by hand because the same route takes CSV. Raises what FastAPI would."""
    try:
        return OutcomeAsked.model_validate_json(body)
    except ValidationError as wrong:
        raise RequestValidationError(
            [error | {"loc": ("body", *error["loc"])} for error in wrong.errors(include_url=False)]
        ) from wrong


def _is_csv(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip() == "text/csv"


def _check(amount_minor: int | None, currency: str | None) -> None:
    """What the field types cannot say. Raises Refused with the field."""
    if (amount_minor is None) != (currency is None):
        raise Refused(
            "An amount has a currency.",
            errors=[FieldError("/currency", "pair", "send amount_minor and currency together")],
        )


def _json(body: dict[str, Any], *, status: int, etag: str | None = None) -> Response:
    content = orjson.dumps(body, default=str)
    return Response(content, status_code=status, media_type="application/json", headers={"etag": etag} if etag else {})
