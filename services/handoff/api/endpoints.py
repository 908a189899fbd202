"""Webhook endpoints over HTTP: list, create, change, delete, enable, rotate, test, resend, and the attempt log.

The address is checked by the guard when it is set and again at each attempt; a secret is answered once and kept
wrapped alone: a repeat of the same key has null in its place, so whose answer was lost rotates.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from services.handoff.store import attempts, endpoints
from services.handoff.store.endpoints import EndpointRow
from services.handoff.store.secrets import Wrapping
from services.handoff.usecases import endpoints as usecases
from shared.db.engine import Tx, reading, transaction
from shared.errors import NotFound
from shared.web.app_factory import Answered, Asked, DatabaseOf
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, check_if_match, command, etag_of
from shared.web.pages import PAGE_DEFAULT, Limit, cursor_of, moment_in, number_in, read_place
from shared.web.times import Moment

router = APIRouter()
Manager = Annotated[Principal, Depends(requires("endpoints:manage"))]
CheckAddress = Callable[[str], Awaitable[None]]
Words = Annotated[list[str], Field(max_length=50)]

_URL_MAX = 2048


class EndpointAsked(Asked):
    """A new endpoint; empty lists mean all."""

    url: str = Field(min_length=8, max_length=_URL_MAX, description="where to POST; https outside tests")
    description: str = Field("", max_length=500)
    types: Words = Field(default_factory=list, description="event types; none = all")
    pools: Words = Field(default_factory=list, description="only handoffs of these pools")
    products: Words = Field(default_factory=list, description="only these products")
    is_sharing: bool = Field(False, description="belongs to somebody else: never gets what Sec-GPC forbids to share")
    notify_email: str | None = Field(None, max_length=254, description="who is told when it keeps failing")
    rate_per_second: int = Field(50, ge=1, le=500, description="requests a second at most")
    headers: dict[str, str] = Field(default_factory=dict, max_length=20, description="own headers, stored wrapped")
    secret: str | None = Field(None, max_length=200, description="whsec_…; none = we make one and answer it once")


class EndpointPatch(Asked):
    """What to change, as a JSON merge patch; absent fields stay."""

    url: str | None = Field(None, min_length=8, max_length=_URL_MAX)
    description: str | None = Field(None, max_length=500)
    types: Words | None = None
    pools: Words | None = None
    products: Words | None = None
    is_sharing: bool | None = None
    notify_email: str | None = Field(None, max_length=254)
    rate_per_second: int | None = Field(None, ge=1, le=500)
    headers: dict[str, str] | None = Field(None, max_length=20)


class RotationAsked(Asked):
    """A new secret; the old one signs beside it for overlap_hours."""

    secret: str | None = Field(None, max_length=200)
    overlap_hours: float = Field(24, ge=0, le=usecases.OVERLAP_HOURS_MAX)


class ResendAsked(Asked):
    """One dispatch, or all made in [since, until) that failed (all that ended with only_failed false)."""

    dispatch_id: UUID | None = Field(None, strict=False)
    since: Moment | None = Field(None, strict=False)
    until: Moment | None = Field(None, strict=False)
    only_failed: bool = True


class EndpointAnswer(Answered):
    """One endpoint; its secret is never part of it."""

    id: UUID
    url: str
    description: str
    types: list[str]
    pools: list[str]
    products: list[str]
    is_sharing: bool
    notify_email: str | None
    header_names: list[str]
    rate_per_second: int
    rate_share: float
    is_enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, row: EndpointRow) -> "EndpointAnswer":
        """The answer of a row."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


def _wrapping(request: Request) -> Wrapping:
    wrapping: Wrapping = request.app.state.wrapping
    return wrapping


def _check_address(request: Request) -> CheckAddress:
    check: CheckAddress = request.app.state.check_address
    return check


Wrapped = Annotated[Wrapping, Depends(_wrapping)]
Guard = Annotated[CheckAddress, Depends(_check_address)]


@router.get("/v1/endpoints")
async def get_endpoints(
    _: Manager, database: DatabaseOf, wrapping: Wrapped, cursor: str | None = None, limit: Limit = PAGE_DEFAULT
) -> dict[str, Any]:
    """All endpoints, in the order they were made."""
    after = read_place(cursor, moment_in, UUID)
    async with reading(database) as tx:
        rows = await endpoints.endpoints_page(tx, after=after, limit=limit, wrapping=wrapping)
    following = cursor_of(rows[-1].created_at.isoformat(), rows[-1].id) if len(rows) == limit else None
    return {"items": [EndpointAnswer.of(row) for row in rows], "next": following}


@router.post("/v1/endpoints", status_code=201)
async def post_endpoint(
    asked: EndpointAsked, request: Request, principal: Manager, database: DatabaseOf, wrapping: Wrapped, check: Guard
) -> Response:
    """Make an endpoint; the answer is the only place where its secret stands."""
    await check(asked.url)

    async def run(tx: Tx) -> Answer:
        values = asked.model_dump(exclude={"headers", "secret"})
        row, secret = await usecases.create_endpoint(
            tx, values, headers=asked.headers, secret=asked.secret, by=principal.user_id, wrapping=wrapping
        )
        headers = {"etag": etag_of(row.version), "location": f"/v1/endpoints/{row.id}"}
        return Answer(201, EndpointAnswer.of(row), headers, shown_once={"secret": secret})

    return await command(request, database, principal, run)


@router.get("/v1/endpoints/{endpoint_id}", response_model=EndpointAnswer)
async def get_endpoint(endpoint_id: UUID, _: Manager, database: DatabaseOf, wrapping: Wrapped) -> Response:
    """One endpoint and how it is doing."""
    async with reading(database) as tx:
        row = await endpoints.read_endpoint(tx, endpoint_id, wrapping=wrapping)
    if row is None:
        raise NotFound("There is no such endpoint; list them with GET /v1/endpoints.")
    return _answer(row)


@router.patch("/v1/endpoints/{endpoint_id}", response_model=EndpointAnswer)
async def patch_endpoint(
    endpoint_id: UUID,
    asked: EndpointPatch,
    request: Request,
    _: Manager,
    database: DatabaseOf,
    wrapping: Wrapped,
    check: Guard,
) -> Response:
    """Change it; the new address is checked like a first one."""
    values = {
        name: getattr(asked, name)
        for name in asked.model_fields_set - {"headers"}
        if getattr(asked, name) is not None or name == "notify_email"
    }
    if "url" in values:
        await check(values["url"])
    async with transaction(database, "command") as tx:
        row = await usecases.held_endpoint(tx, endpoint_id, wrapping=wrapping)
        check_if_match(request, current=etag_of(row.version))
        row = await usecases.change_endpoint(tx, row, values, headers=asked.headers, wrapping=wrapping)
    return _answer(row)


@router.delete("/v1/endpoints/{endpoint_id}", status_code=204)
async def delete_endpoint(
    endpoint_id: UUID, request: Request, _: Manager, database: DatabaseOf, wrapping: Wrapped
) -> Response:
    """Delete it with its dispatches."""
    async with transaction(database, "command") as tx:
        row = await usecases.held_endpoint(tx, endpoint_id, wrapping=wrapping)
        check_if_match(request, current=etag_of(row.version))
        await usecases.delete_endpoint(tx, row)
    return Response(status_code=204)


@router.post("/v1/endpoints/{endpoint_id}/enable")
async def post_enable(
    endpoint_id: UUID, request: Request, principal: Manager, database: DatabaseOf, wrapping: Wrapped
) -> Response:
    """Send to it again; what waited goes out, oldest first."""

    async def run(tx: Tx) -> Answer:
        row = await usecases.enable_endpoint(tx, endpoint_id, wrapping=wrapping)
        return Answer(200, EndpointAnswer.of(row), {"etag": etag_of(row.version)})

    return await command(request, database, principal, run)


@router.post("/v1/endpoints/{endpoint_id}/rotate")
async def post_rotate(
    endpoint_id: UUID,
    asked: RotationAsked,
    request: Request,
    principal: Manager,
    database: DatabaseOf,
    wrapping: Wrapped,
) -> Response:
    """A new secret, answered once; the old one signs beside it until old_secret_until."""

    async def run(tx: Tx) -> Answer:
        secret, until = await usecases.rotate_secret(
            tx, endpoint_id, secret=asked.secret, overlap_hours=asked.overlap_hours, wrapping=wrapping
        )
        return Answer(200, {"old_secret_until": until.isoformat()}, shown_once={"secret": secret})

    return await command(request, database, principal, run)


@router.post("/v1/endpoints/{endpoint_id}/test", status_code=202)
async def post_test(
    endpoint_id: UUID, request: Request, principal: Manager, database: DatabaseOf, wrapping: Wrapped
) -> Response:
    """Send a test event; its attempt appears in the log."""

    async def run(tx: Tx) -> Answer:
        return Answer(202, {"dispatch_id": str(await usecases.send_test(tx, endpoint_id, wrapping=wrapping))})

    return await command(request, database, principal, run)


@router.post("/v1/endpoints/{endpoint_id}/resend", status_code=202)
async def post_resend(
    endpoint_id: UUID, asked: ResendAsked, request: Request, principal: Manager, database: DatabaseOf, wrapping: Wrapped
) -> Response:
    """Send again with the same webhook-id: one dispatch, or what failed since a time."""

    async def run(tx: Tx) -> Answer:
        count = await usecases.resend_dispatches(tx, endpoint_id, **asked.model_dump(), wrapping=wrapping)
        return Answer(202, {"resent": count})

    return await command(request, database, principal, run)


@router.get("/v1/endpoints/{endpoint_id}/attempts")
async def get_attempts(
    endpoint_id: UUID,
    _: Manager,
    database: DatabaseOf,
    wrapping: Wrapped,
    event_type: Annotated[str | None, Query(alias="type")] = None,
    cursor: str | None = None,
    limit: Limit = PAGE_DEFAULT,
) -> dict[str, Any]:
    """The attempt log, newest first: what was sent, what came back, when the next attempt is due."""
    after = read_place(cursor, number_in, number_in)
    async with reading(database) as tx:
        if await endpoints.read_endpoint(tx, endpoint_id, wrapping=wrapping) is None:
            raise NotFound("There is no such endpoint; list them with GET /v1/endpoints.")
        rows = await attempts.attempts_page(
            tx,
            endpoint_id,
            after=after,
            limit=limit,
            event_type=event_type,
        )
    following = cursor_of(rows[-1].dispatch_number, rows[-1].number) if len(rows) == limit else None
    items = [{**row._mapping, "webhook_id": row.event_id, "attempt": row.number} for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    for item in items:
        for inner in ("dispatch_number", "event_id", "number"):
            del item[inner]
    return {"items": items, "next": following}


def _answer(row: EndpointRow) -> Response:
    body = EndpointAnswer.of(row).model_dump(mode="json")
    return JSONResponse(body, headers={"etag": etag_of(row.version)})
