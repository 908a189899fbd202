"""The numbers both teams look at: reports, the leads behind each number, commitments, attributions; JSON and CSV."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from services.feedback.api.parts import csv_response, period_asked, settings_of, wants_csv
from services.feedback.domain.attribution import DEFINITION, Credit, Model
from services.feedback.domain.commitments import Period, Standing, period_of
from services.feedback.domain.journeys import Dimension
from services.feedback.domain.numbers import DEFINITIONS_VERSION, NUMBERS
from services.feedback.domain.reports import Cell, Report
from services.feedback.store import outcomes
from services.feedback.store.outcomes import OpportunityRow
from services.feedback.usecases.outcomes import credits_now, opportunity_or_missing
from services.feedback.usecases.reports import ReportAsked, make_commitments, make_report
from shared.db.engine import ReadTx, reading
from shared.errors import NotFound
from shared.web.app_factory import DatabaseOf
from shared.web.auth import Principal, requires
from shared.web.pages import PAGE_DEFAULT, PAGE_MOST, cursor_of, number_in, read_place
from shared.web.times import Moment

router = APIRouter()
Reader = Annotated[Principal, Depends(requires("reports:read"))]
Output = Literal["json", "csv"]


class ReportQuery(BaseModel):
    """What a report is asked with: [since, until), grouping, model of attribution, format."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment | None = None
    until: Moment | None = None
    by: Dimension = ""
    model: Model = "first"
    format: Output | None = None


class LeadsQuery(ReportQuery):
    """Which number of the report is opened, page by page."""

    number: str
    cursor: str | None = None
    limit: int = PAGE_DEFAULT


@router.get("/v1/numbers")
async def get_numbers(_: Reader) -> dict[str, Any]:
    """Every number by name with the one sentence that defines it."""
    return {"version": DEFINITIONS_VERSION, "numbers": NUMBERS}


@router.get("/v1/reports/{name}", response_model=None)
async def get_report(
    name: str, query: Annotated[ReportQuery, Query()], request: Request, _: Reader, database: DatabaseOf
) -> Response | dict[str, Any]:
    """One agreed page of a period."""
    async with reading(database) as tx:
        report = await _report(tx, name, query, request)
        now = tx.now
    if wants_csv(request, query.format):
        return csv_response(name, [_cell_json(cell) for cell in report.cells])
    return {
        "name": report.name,
        "definition": report.definition,
        "definitions_version": DEFINITIONS_VERSION,
        "since": report.period.since,
        "until": report.period.until,
        "as_of": now,
        "numbers": [_cell_json(cell) for cell in report.cells],
        **report.beside,
    }


@router.get("/v1/reports/{name}/leads", response_model=None)
async def get_report_leads(
    name: str, query: Annotated[LeadsQuery, Query()], request: Request, _: Reader, database: DatabaseOf
) -> Response | dict[str, Any]:
    """The leads behind one number of a report, in its order."""
    async with reading(database) as tx:
        report = await _report(tx, name, query, request)
    cell = report.cell(query.number)
    if cell is None:
        known = ", ".join(each.key for each in report.cells)
        raise NotFound(f"The report {name} has no number {query.number} in this period; it has {known}.")
    if wants_csv(request, query.format):
        return csv_response(f"{name}-leads", [{"lead_id": str(lead_id)} for lead_id in cell.lead_ids])
    return _page(cell, query)


@router.get("/v1/commitments", response_model=None)
async def get_commitments(
    request: Request,
    _: Reader,
    database: DatabaseOf,
    at: Moment | None = None,
    output: Annotated[Output | None, Query(alias="format")] = None,
) -> Response | dict[str, Any]:
    """What both teams promised, in the period that `at` (default: now) lies in."""
    async with reading(database) as tx:
        standings = await make_commitments(tx, at=at or tx.now)
        now = tx.now
    if wants_csv(request, output):
        return csv_response("commitments", [_standing_line(standing) for standing in standings])
    return {
        "as_of": now,
        "period": _period_json(period_of(at or now, "month")),
        "definitions_version": DEFINITIONS_VERSION,
        "commitments": [_standing_line(standing) | _standing_leads(standing) for standing in standings],
    }


@router.get("/v1/attributions/{opportunity}", response_model=None)
async def get_attribution(
    opportunity: str,
    request: Request,
    _: Reader,
    database: DatabaseOf,
    output: Annotated[Output | None, Query(alias="format")] = None,
) -> Response | dict[str, Any]:
    """The credits of one deal under every model; `opportunity` is our id, or system:id of the CRM."""
    async with reading(database) as tx:
        row = await _opportunity(tx, opportunity)
        credited = await credits_now(tx, row)
    lines = {model: [_credit_json(each) for each in shares] for model, shares in credited.items()}
    if wants_csv(request, output):
        return csv_response(
            "attribution", [{"model": model, **line} for model, listed in lines.items() for line in listed]
        )
    return {
        "opportunity_id": row.opportunity_id,
        "system": row.system,
        "external_id": row.external_id,
        "lead_id": row.lead_id,
        "result": row.result,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "definition": DEFINITION,
        "models": lines,
    }


async def _report(tx: ReadTx, name: str, query: ReportQuery, request: Request) -> Report:
    asked = ReportAsked(
        name=name, period=period_asked(query.since, query.until, tx.now), by=query.by, model=query.model
    )
    return await make_report(tx, asked, declared_rate=settings_of(request).declared_win_rate)


async def _opportunity(tx: ReadTx, named: str) -> OpportunityRow:
    system, colon, external_id = named.partition(":")
    if colon:
        return await opportunity_or_missing(tx, system, external_id)
    try:
        row = await outcomes.opportunity_by_id(tx, UUID(named))
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such deal; name it by our id or as system:id.")
    return row


def _page(cell: Cell, query: LeadsQuery) -> dict[str, Any]:
    (start,) = read_place(query.cursor, number_in) or (0,)
    size = max(1, min(query.limit, PAGE_MOST))
    page = cell.lead_ids[start : start + size]
    is_more = start + size < len(cell.lead_ids)
    return {
        "number": cell.key,
        "title": cell.title,
        "value": cell.value,
        "count": len(cell.lead_ids),
        "lead_ids": page,
        "next": cursor_of(start + size) if is_more else None,
    }


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {
        "number": cell.key,
        "title": cell.title,
        "value": cell.value,
        "unit": cell.unit,
        "leads": len(cell.lead_ids),
    }


def _period_json(period: Period) -> dict[str, datetime]:
    return {"since": period.since, "until": period.until}


def _standing_line(standing: Standing) -> dict[str, Any]:
    commitment = standing.commitment
    return {
        "team": commitment.team,
        "measure": commitment.measure,
        "sentence": standing.sentence,
        "per": commitment.per,
        "since": standing.period.since,
        "until": standing.period.until,
        "at_least": commitment.at_least,
        "at_most": commitment.at_most,
        "value": standing.value,
        "status": standing.status,
        "kept": len(standing.sorted.kept),
        "missed": len(standing.sorted.missed),
        "undecided": len(standing.sorted.undecided),
    }


def _standing_leads(standing: Standing) -> dict[str, Any]:
    return {
        f"{part}_lead_ids": [each.lead_id for each in getattr(standing.sorted, part)]
        for part in ("kept", "missed", "undecided")
    }


def _credit_json(credit: Credit) -> dict[str, Any]:
    point = credit.touchpoint
    return {
        "amount_minor": credit.amount_minor,
        "is_attributed": point is not None,
        "activity_id": None if point is None else str(point.activity_id),
        "lead_id": None if point is None else str(point.lead_id),
        "touched_at": None if point is None else point.occurred_at.isoformat(),
        "traffic_source": None if point is None else point.traffic_source,
        "medium": None if point is None else point.medium,
        "campaign": None if point is None else point.campaign,
        "asset": None if point is None else point.asset,
    }
