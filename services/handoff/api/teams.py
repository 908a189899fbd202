"""Teams and calendars over HTTP: managers change them, and clocks that run in a changed calendar are counted again."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.handoff.api.seen import json_of
from services.handoff.store import crews
from services.handoff.usecases import crewing
from shared.db.engine import Tx, reading, transaction
from shared.errors import FieldError, NotFound, Refused
from shared.ids import TeamId, new_id
from shared.web.app_factory import Asked, database_of
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, check_if_match, command, etag_of

__all__ = ["router"]

router = APIRouter(prefix="/v1")
Reader = Annotated[Principal, Depends(requires("leads:read"))]
Manager = Annotated[Principal, Depends(requires("reps:manage"))]
Part = Annotated[list[int], Field(min_length=2, max_length=2)]
Day = Annotated[list[Part], Field(max_length=10)]


class TeamAsked(Asked):
    """Users under one manager."""

    name: str = Field(min_length=1, max_length=200, description="name")
    party: str = Field("sales", pattern="^(marketing|sales)$", description="marketing or sales")
    manager_id: UUID | None = Field(None, strict=False, description="who is told and sees the rows")
    calendar: str = Field("default", max_length=100, description="name of the calendar")


class CalendarAsked(Asked):
    """Open hours in a zone."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[a-z0-9_-]+$", description="name")
    zone: str = Field(max_length=100, description="IANA time zone")
    hours: list[Day] = Field(min_length=7, max_length=7, description="per weekday, Monday first: [from, to] in minutes")
    holidays: list[Annotated[date, Field(strict=False)]] = Field(
        default_factory=list, max_length=1000, description="days that are closed"
    )
    holiday_country: str | None = Field(None, max_length=2, description="adds its public holidays, ISO 3166-1")


class TeamPatch(Asked):
    """What to change of a team, as a JSON merge patch; absent fields stay."""

    name: str | None = Field(None, min_length=1, max_length=200, description="name")
    party: str | None = Field(None, pattern="^(marketing|sales)$", description="marketing or sales")
    manager_id: UUID | None = Field(None, strict=False, description="who is told and sees the rows")
    calendar: str | None = Field(None, max_length=100, description="name of the calendar")


class CalendarPatch(Asked):
    """What to change of a calendar, as a JSON merge patch; absent fields stay."""

    zone: str | None = Field(None, max_length=100, description="IANA time zone")
    hours: list[Day] | None = Field(None, min_length=7, max_length=7, description="per weekday, Monday first")
    holidays: Annotated[list[date], Field(max_length=1000, strict=False)] | None = Field(
        None, description="all days that are closed"
    )
    holiday_country: str | None = Field(None, max_length=2, description="adds its public holidays, ISO 3166-1")


@router.get("/teams")
async def list_teams(request: Request, _: Reader) -> dict[str, Any]:
    """All teams."""
    async with reading(database_of(request)) as tx:
        return {"teams": json_of([dict(row) for row in await crews.list_teams(tx)])}


@router.post("/teams", status_code=201)
async def make_team(request: Request, principal: Manager, asked: TeamAsked) -> Response:
    """Make a team."""

    async def run(tx: Tx) -> Answer:
        row = await crewing.put_team(tx, TeamId(new_id()), asked.model_dump())
        return Answer(201, json_of(row), {"etag": etag_of(row["version"]), "location": f"/v1/teams/{row['id']}"})

    return await command(request, database_of(request), principal, run)


@router.put("/teams/{team_id}")
async def put_team(request: Request, response: Response, _: Manager, team_id: UUID, asked: TeamAsked) -> dict[str, Any]:
    """Make a team under an id of your own, or change one (then with If-Match)."""
    async with transaction(database_of(request), "command") as tx:
        row = await crews.team_row(tx, team_id)
        if row is not None:
            check_if_match(request, current=etag_of(row["version"]))
        after = await crewing.put_team(tx, TeamId(team_id), asked.model_dump())
    response.status_code = 201 if row is None else 200
    response.headers["etag"] = etag_of(after["version"])
    shown: dict[str, Any] = json_of(after)
    return shown


@router.patch("/teams/{team_id}")
async def patch_team(
    request: Request, response: Response, _: Manager, team_id: UUID, asked: TeamPatch
) -> dict[str, Any]:
    """Change a team."""
    async with transaction(database_of(request), "command") as tx:
        row = await crews.team_row(tx, team_id)
        if row is None:
            raise NotFound("There is no team with this id.")
        check_if_match(request, current=etag_of(row["version"]))
        after = await crewing.put_team(tx, TeamId(team_id), asked.model_dump(exclude_unset=True))
    response.headers["etag"] = etag_of(after["version"])
    shown: dict[str, Any] = json_of(after)
    return shown


@router.get("/calendars")
async def list_calendars(request: Request, _: Reader) -> dict[str, Any]:
    """All calendars."""
    async with reading(database_of(request)) as tx:
        return {"calendars": json_of([dict(row) for row in await crews.list_calendars(tx)])}


@router.post("/calendars", status_code=201)
async def make_calendar(request: Request, principal: Manager, asked: CalendarAsked) -> Response:
    """Make a calendar, or change the one of this name; its clocks are counted again."""
    _check_hours(asked)
    database = database_of(request)

    async def run(tx: Tx) -> Answer:
        row = await crewing.put_calendar(
            tx, asked.name, zone=asked.zone, hours=asked.hours, off=asked.holidays, country=asked.holiday_country
        )
        return Answer(201, json_of(row), {"etag": etag_of(row["version"])})

    answered = await command(request, database, principal, run)
    await crewing.recount(database, calendars=[asked.name])
    return answered


@router.patch("/calendars/{name}")
async def patch_calendar(
    request: Request, response: Response, _: Manager, name: str, asked: CalendarPatch
) -> dict[str, Any]:
    """Change a calendar; its clocks are counted again."""
    database = database_of(request)
    async with transaction(database, "command") as tx:
        row = await crews.calendar_row(tx, name)
        if row is None:
            raise NotFound("There is no calendar with this name.")
        check_if_match(request, current=etag_of(row["version"]))
        kept = {"name": name, "zone": row["zone"], "hours": row["hours"], "holidays": row["holidays"]}
        whole = CalendarAsked.model_validate({**kept, **asked.model_dump(exclude_unset=True)})
        _check_hours(whole)
        after = await crewing.put_calendar(
            tx, name, zone=whole.zone, hours=whole.hours, off=whole.holidays, country=whole.holiday_country
        )
    await crewing.recount(database, calendars=[name])
    response.headers["etag"] = etag_of(after["version"])
    shown: dict[str, Any] = json_of(after)
    return shown


def _check_hours(asked: CalendarAsked) -> None:
    try:
        ZoneInfo(asked.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        wrong = FieldError("/zone", "unknown", "is no IANA time zone, like Europe/Berlin")
        raise Refused("Correct the zone.", errors=[wrong]) from error
    for index, day in enumerate(asked.hours):
        ends = [minute for part in day for minute in part]
        if ends != sorted(set(ends)) or (ends and not (ends[0] >= 0 and ends[-1] <= 1440)):
            wrong = FieldError(f"/hours/{index}", "order", "minutes from 0 to 1440, ascending, without overlap")
            raise Refused("Correct the hours.", errors=[wrong])
    minutes = sum(part[1] - part[0] for day in asked.hours for part in day)
    if minutes < 60:
        wrong = FieldError("/hours", "closed", "open less than an hour a week: its clocks would never end")
        raise Refused("Open it at least an hour a week.", errors=[wrong])
