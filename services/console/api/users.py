"""`/v1/users` and `/v1/keys`: who signs in and which keys call, for administrators and the operator's command."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.console.domain.records import UserRow
from services.console.domain.rights import Role
from services.console.store import people
from services.console.store.people import KeyRow
from services.console.usecases.people import (
    PASSWORD_LENGTH_MIN,
    NewUser,
    add_user,
    change_user,
    hashed,
    make_key,
    revoke_key,
)
from shared.db.engine import Tx, reading
from shared.errors import NotFound
from shared.ids import secret_token
from shared.web.app_factory import Asked, database_of
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command
from shared.web.policy import Scope
from shared.web.times import Moment

__all__ = ["internal_router", "router"]

router = APIRouter(prefix="/v1")
internal_router = APIRouter(prefix="/internal")

Administrator = Annotated[Principal, Depends(requires("users:manage"))]
GENERATED_PASSWORD_BYTES = 15


class NewUserAsked(Asked):
    """A new user; without a password one is made and answered once."""

    email: str = Field(min_length=3, max_length=200, description="the name to sign in with")
    name: str = Field(min_length=1, max_length=200, description="as others see it")
    role: Role = Field(strict=False, description="rep, manager, marketer, revops or admin")
    team_id: UUID | None = Field(None, strict=False, description="the team, for reps and managers")
    time_zone: str = Field("UTC", max_length=64, description="IANA zone in which times are shown")
    password: str | None = Field(None, min_length=PASSWORD_LENGTH_MIN, max_length=1000, description="to sign in with")


class UserChange(Asked):
    """What of a user changes; absent fields stay."""

    name: str | None = Field(None, min_length=1, max_length=200, description="as others see it")
    role: Role | None = Field(None, strict=False, description="the new role")
    team_id: UUID | None = Field(None, strict=False, description="the new team")
    is_active: bool | None = Field(None, description="whether the user may sign in")
    password: str | None = Field(None, min_length=PASSWORD_LENGTH_MIN, max_length=1000, description="the new one")


class NewKeyAsked(Asked):
    """A new API key."""

    name: str = Field(min_length=1, max_length=200, description="what it is for")
    scopes: list[Scope] = Field(min_length=1, description="what it may do")
    expires_at: Moment | None = Field(None, strict=False, description="when it ends by itself")


@router.get("/users")
async def list_users(request: Request, _: Administrator) -> dict[str, Any]:
    """All users."""
    async with reading(database_of(request)) as tx:
        found = await people.users(tx)
    return {"users": [_user_values(row) for row in found.values()]}


@router.post("/users", status_code=201)
async def post_user(request: Request, principal: Administrator, asked: NewUserAsked) -> Response:
    """Add a user."""
    return await _add_user(request, principal, asked)


@router.patch("/users/{user_id}")
async def patch_user(request: Request, _: Administrator, user_id: UUID, asked: UserChange) -> Response:
    """Change a user; a change of role, state or password ends the user's sessions."""
    password_hash = await hashed(asked.password) if asked.password else None

    async def run(tx: Tx) -> Answer:
        row = await change_user(
            tx,
            user_id,
            role=asked.role,
            team_id=asked.team_id,
            display_name=asked.name,
            is_active=asked.is_active,
            password_hash=password_hash,
        )
        return Answer(200, _user_values(row))

    return await command(request, database_of(request), _, run)


@router.get("/users/{user_id}")
async def get_user(request: Request, _: Administrator, user_id: UUID) -> dict[str, Any]:
    """One user."""
    async with reading(database_of(request)) as tx:
        row = await people.user(tx, user_id)
    if row is None:
        raise NotFound("There is no user with this id.")
    return _user_values(row)


@router.get("/keys")
async def list_keys(request: Request, _: Administrator) -> dict[str, Any]:
    """All API keys, without their secrets."""
    async with reading(database_of(request)) as tx:
        return {"keys": [_key_values(row) for row in await people.keys(tx)]}


@router.post("/keys", status_code=201)
async def post_key(request: Request, principal: Administrator, asked: NewKeyAsked) -> Response:
    """Make an API key; `key` is shown in this answer alone."""

    async def run(tx: Tx) -> Answer:
        made = await make_key(
            tx,
            name=asked.name,
            scopes=tuple(asked.scopes),
            created_by=f"{principal.kind}:{principal.id}",
            expires_at=asked.expires_at,
        )
        return Answer(201, _key_values(made.row), shown_once={"key": made.text})

    return await command(request, database_of(request), principal, run)


@router.delete("/keys/{key_id}", status_code=204)
async def delete_key(request: Request, principal: Administrator, key_id: str) -> Response:
    """Revoke a key; it ends at once."""

    async def run(tx: Tx) -> Answer:
        await revoke_key(tx, key_id)
        return Answer(204)

    return await command(request, database_of(request), principal, run)


@internal_router.post("/users", status_code=201)
async def post_user_internally(request: Request, principal: Administrator, asked: NewUserAsked) -> Response:
    """Add a user, for the operator's command."""
    return await _add_user(request, principal, asked)


async def _add_user(request: Request, principal: Principal, asked: NewUserAsked) -> Response:
    password = asked.password or secret_token(GENERATED_PASSWORD_BYTES + 1)
    password_hash = await hashed(password)
    new = NewUser(asked.email, asked.name, asked.role, asked.team_id, asked.time_zone)

    async def run(tx: Tx) -> Answer:
        row = await add_user(tx, new, password_hash=password_hash)
        return Answer(201, _user_values(row), shown_once={} if asked.password else {"password": password})

    return await command(request, database_of(request), principal, run)


def _user_values(row: UserRow) -> dict[str, Any]:
    return {
        "user_id": str(row.user_id),
        "email": row.user_name,
        "name": row.display_name,
        "role": row.role,
        "team_id": str(row.team_id) if row.team_id else None,
        "time_zone": row.time_zone,
        "is_active": row.is_active,
    }


def _key_values(row: KeyRow) -> dict[str, Any]:
    return {
        "key_id": row.key_id,
        "name": row.name,
        "scopes": list(row.scopes),
        "created_by": row.created_by,
        "created_at": _text(row.created_at),
        "expires_at": _text(row.expires_at),
        "used_at": _text(row.used_at),
        "revoked_at": _text(row.revoked_at),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
