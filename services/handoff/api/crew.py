"""Reps, their absences and account owners over HTTP: managers change them, a rep its own absences."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.handoff.api.ics import absences_in
from services.handoff.api.seen import json_of
from services.handoff.store import absences, crews, reps
from services.handoff.usecases import crewing
from shared.db.engine import Tx, reading, transaction
from shared.errors import FieldError, Forbidden, NotFound, Refused
from shared.ids import UserId
from shared.web.app_factory import Asked, database_of
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, check_if_match, command, etag_of
from shared.web.times import Moment

__all__ = ["internal_router", "router"]

router = APIRouter(prefix="/v1")
internal_router = APIRouter(prefix="/internal")
Reader = Annotated[Principal, Depends(requires("leads:read"))]
Manager = Annotated[Principal, Depends(requires("reps:manage"))]
Service = Annotated[Principal, Depends(requires("service"))]
Anybody = Annotated[Principal, Depends(requires("any"))]
# Members of all pools of one draft: far more than an agreement that people can read names.
_MEMBERS_MAX = 10_000
Words = Annotated[list[str], Field(max_length=50)]


class RepAsked(Asked):
    """A user who works leads."""

    team_id: UUID | None = Field(None, strict=False, description="the team; decides who else sees the rows")
    name: str = Field("", max_length=200, description="as colleagues see it")
    email: str | None = Field(None, max_length=254, description="where mails go")
    slack_id: str | None = Field(None, max_length=50, description="member id in Slack")
    calendar: str | None = Field(None, max_length=100, description="name of the calendar; default: the team's")
    languages: Words = Field(default_factory=list, description="ISO 639-1, lower case")
    skills: Words = Field(default_factory=list, description="words that pools ask for")
    is_active: bool = Field(True, description="false: takes nothing and keeps its history")


class AwayAsked(Asked):
    """A rep takes nothing for now."""

    because: str = Field("by_hand", max_length=100, description="a word")


class AbsenceAsked(Asked):
    """One absence, or a calendar file of them."""

    from_at: Moment | None = Field(None, strict=False, description="begins")
    until_at: Moment | None = Field(None, strict=False, description="ends")
    ics: str | None = Field(None, max_length=50_000, description="RFC 5545 text; each event is an absence")


class KnownRepsAsked(Asked):
    """Who may be reps: the members that a draft of the agreement names."""

    rep_ids: list[Annotated[UUID, Field(strict=False)]] = Field(max_length=_MEMBERS_MAX)


class OwnerAsked(Asked):
    """Who owns an account."""

    rep_id: UUID = Field(strict=False, description="the rep")


@internal_router.post("/known-reps")
async def show_known_reps(request: Request, _: Service, asked: KnownRepsAsked) -> dict[str, Any]:
    """Those of the ids that are reps: feedback's check of a draft asks, and changes nothing."""
    async with reading(database_of(request)) as tx:
        return {"rep_ids": await crews.known_reps(tx, asked.rep_ids)}


@router.get("/reps")
async def list_reps(request: Request, _: Reader, team_id: UUID | None = None) -> dict[str, Any]:
    """Reps of one team, or all."""
    async with reading(database_of(request)) as tx:
        rows = await crews.list_reps(tx, team_id=team_id)
    return {"reps": [_rep(row) for row in rows]}


@router.get("/reps/{rep_id}")
async def show_rep(request: Request, response: Response, _: Reader, rep_id: UUID) -> dict[str, Any]:
    """One rep with its absences."""
    async with reading(database_of(request)) as tx:
        row = await crews.rep_row(tx, rep_id, is_locked=False)
        own = await crews.absences_of(tx, rep_id)
    if row is None:
        raise NotFound("There is no rep with this id.")
    response.headers["etag"] = etag_of(row["version"])
    return {**_rep(row), "absences": json_of([dict(each) for each in own])}


@router.put("/reps/{rep_id}")
async def put_rep(request: Request, response: Response, _: Manager, rep_id: UUID, asked: RepAsked) -> dict[str, Any]:
    """Make a user a rep, or change one (then with If-Match)."""
    database = database_of(request)
    async with transaction(database, "command") as tx:
        row = await crews.rep_row(tx, rep_id, is_locked=True)
        if row is not None:
            check_if_match(request, current=etag_of(row["version"]))
        after = await crewing.put_rep(tx, UserId(rep_id), asked.model_dump())
    await crewing.recount(database, rep_ids=[UserId(rep_id)])
    response.status_code = 201 if row is None else 200
    response.headers["etag"] = etag_of(after["version"])
    return _rep(after)


@router.post("/reps/{rep_id}/away")
async def send_away(request: Request, principal: Anybody, rep_id: UUID, asked: AwayAsked | None = None) -> Response:
    """The rep takes nothing from now on: what it was offered goes to others at once."""
    return await _presence(request, principal, rep_id, because=asked.because if asked else "by_hand")


@router.post("/reps/{rep_id}/back")
async def bring_back(request: Request, principal: Anybody, rep_id: UUID) -> Response:
    """The rep is there again, and what waits may be its."""
    return await _presence(request, principal, rep_id, because=None)


@router.post("/reps/{rep_id}/absences", status_code=201)
async def plan_absences(request: Request, principal: Anybody, rep_id: UUID, asked: AbsenceAsked) -> Response:
    """Plan absences of a rep."""
    _check_own(principal, rep_id)
    database = database_of(request)

    async def run(tx: Tx) -> Answer:
        intervals = await _intervals(tx, rep_id, asked)
        origin = "ics" if asked.ics is not None else "api"
        rows = await crewing.plan_absences(tx, UserId(rep_id), intervals, origin=origin)
        return Answer(201, {"absences": json_of(rows)})

    answered = await command(request, database, principal, run)
    await crewing.recount(database, rep_ids=[UserId(rep_id)])
    return answered


@router.delete("/reps/{rep_id}/absences/{absence_id}", status_code=204)
async def cancel_absence(request: Request, principal: Anybody, rep_id: UUID, absence_id: UUID) -> None:
    """Take an absence back."""
    _check_own(principal, rep_id)
    database = database_of(request)
    async with transaction(database, "command") as tx:
        if not await absences.cancel_absence(tx, absence_id, UserId(rep_id)):
            raise NotFound("There is no such absence, or it is over.")
        await reps.mark_moved(tx, [UserId(rep_id)], "back")
    await crewing.recount(database, rep_ids=[UserId(rep_id)])


@router.put("/account-owners/{account_id}")
async def put_account_owner(
    request: Request, response: Response, principal: Manager, account_id: UUID, asked: OwnerAsked
) -> dict[str, Any]:
    """Say who owns an account (changing it: with If-Match); new leads of it go there first."""
    async with transaction(database_of(request), "command") as tx:
        row = await crews.account_owner_row(tx, account_id)
        if row is not None:
            check_if_match(request, current=etag_of(row["version"]))
        by = principal.user_id
        after = await crewing.put_account_owner(tx, account_id, UserId(asked.rep_id), by=by)
    response.status_code = 201 if row is None else 200
    response.headers["etag"] = etag_of(after["version"])
    shown: dict[str, Any] = json_of(after)
    return shown


@router.get("/account-owners/{account_id}")
async def show_account_owner(request: Request, response: Response, _: Reader, account_id: UUID) -> dict[str, Any]:
    """Who owns an account."""
    async with reading(database_of(request)) as tx:
        row = await crews.account_owner_row(tx, account_id)
    if row is None:
        raise NotFound("Nobody owns this account.")
    response.headers["etag"] = etag_of(row["version"])
    shown: dict[str, Any] = json_of(dict(row))
    return shown


async def _presence(request: Request, principal: Principal, rep_id: UUID, *, because: str | None) -> Response:
    _check_own(principal, rep_id)

    async def run(tx: Tx) -> Answer:
        row = await crewing.send_away(tx, UserId(rep_id), because=because)
        return Answer(200, _rep(row), {"etag": etag_of(row["version"])})

    return await command(request, database_of(request), principal, run)


def _check_own(principal: Principal, rep_id: UUID) -> None:
    """Managers for anybody, a rep for itself."""
    is_own = principal.user_id == rep_id and principal.may("reps:self")
    if not (is_own or principal.may("reps:manage")):
        raise Forbidden("Only the rep itself or a manager may do this.")


async def _intervals(tx: Tx, rep_id: UUID, asked: AbsenceAsked) -> list[tuple[datetime, datetime]]:
    if asked.ics is not None:
        crew = await reps.read_crew(tx, [rep_id])
        return absences_in(asked.ics, zone=crew.calendar_of(UserId(rep_id)).zone)
    if asked.from_at is None or asked.until_at is None:
        raise Refused(
            "Give from_at and until_at, or ics.", errors=[FieldError("/from_at", "missing", "an absence has two ends")]
        )
    if asked.from_at >= asked.until_at:
        wrong = FieldError("/until_at", "order", "lies after from_at")
        raise Refused("Correct the two ends.", errors=[wrong])
    return [(asked.from_at, asked.until_at)]


def _rep(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    hidden = {"moved", "changed_at"}
    shown: dict[str, Any] = json_of({name: value for name, value in dict(row).items() if name not in hidden})
    return shown
