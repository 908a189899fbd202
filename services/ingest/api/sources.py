"""Sources: list, make (keys shown once), change, rotate, test, delete."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from services.ingest.api.parts import Parts, PartsOf
from services.ingest.domain.source import origin_of
from services.ingest.store import sources
from services.ingest.usecases.sources import (
    KEYED_SENDERS,
    NewKey,
    create_source,
    delete_source,
    patch_source,
    rotate_keys,
)
from shared.db.engine import Tx, reading, transaction
from shared.errors import NotFound
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, check_if_match, command, etag_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/sources", tags=["sources"])
Reader = Annotated[Principal, Depends(requires("sources:read"))]
Manager = Annotated[Principal, Depends(requires("sources:manage"))]


def _checked_origin(text: str) -> str:
    origin = origin_of(text)
    if origin is None:
        raise PydanticCustomError("origin", "write scheme, host and no path, like https://www.example.com")
    return origin


Origin = Annotated[str, AfterValidator(_checked_origin)]


class PageRule(Asked):
    """A path pattern (`*` = anything) and what such a page is worth."""

    path: str = Field(min_length=1, max_length=256)
    content: str = Field(min_length=1, max_length=64)


class SettingsAsked(Asked):
    """What marketing sets for a source."""

    origins: list[Origin] = Field(default_factory=list, max_length=100, description="web origins of its browser key")
    pages: list[PageRule] = Field(default_factory=list, max_length=500, description="page patterns, tried in order")
    names: dict[str, str] = Field(default_factory=dict, description="name of a tracked event to kind")
    properties: list[str] = Field(default_factory=list, max_length=100, description="properties that are not personal")
    consent: Literal["granted", "unknown"] = Field("unknown", description="what it states for everybody it sends")
    entry_channel: str | None = Field(None, max_length=32)
    rate_per_second: int | None = Field(None, ge=1, le=100_000)


class SourceAsked(Asked):
    """A new source."""

    sender: str = Field(max_length=64, description="segment, cloudevents, sendgrid, …")
    name: str = Field(min_length=1, max_length=200)
    settings: SettingsAsked = Field(default_factory=SettingsAsked)
    keys: list[Literal["server_key", "browser_key"]] = Field(["server_key"], max_length=2)
    secret: str | None = Field(None, max_length=4096, description="signing secret or public key of a sender that signs")


class SourcePatch(Asked):
    """A change of a source; settings are replaced whole."""

    name: str | None = Field(None, min_length=1, max_length=200)
    settings: SettingsAsked | None = None


class RotateAsked(Asked):
    """Which kind of key is made anew."""

    kind: Literal["server_key", "browser_key", "secret"]
    secret: str | None = Field(None, max_length=4096)


class KeyShown(Answered):
    """A key without its value."""

    id: UUID
    kind: str
    shown_prefix: str
    created_at: datetime
    valid_until: datetime | None


class SourceShown(Answered):
    """A source as people see it."""

    id: UUID
    sender: str
    name: str
    url: str
    settings: dict[str, Any]
    version: int
    created_at: datetime
    keys: list[KeyShown]


@router.get("")
async def list_sources(_: Reader, parts: PartsOf) -> dict[str, list[SourceShown]]:
    """All live sources, oldest first; there are few, so there are no pages."""
    async with reading(parts.database) as tx:
        rows = await sources.source_rows(tx)
        keys = await sources.keys_of(tx, [row["id"] for row in rows])
    return {"sources": [_shown(parts, row, keys) for row in rows]}


@router.get("/{source_id}")
async def get_source(_: Reader, parts: PartsOf, source_id: UUID, response: Response) -> SourceShown:
    """One source; its ETag is what If-Match wants."""
    async with reading(parts.database) as tx:
        row = await sources.source_row(tx, source_id)
        keys = await sources.keys_of(tx, [source_id])
    if row is None:
        raise NotFound("There is no source with this id; list them with GET /v1/sources.")
    response.headers["etag"] = etag_of(row["version"])
    return _shown(parts, row, keys)


@router.post("", status_code=201)
async def post_source(principal: Manager, parts: PartsOf, request: Request, asked: SourceAsked) -> Response:
    """Make a source; the answer shows its keys, once."""

    async def run(tx: Tx) -> Answer:
        source_id, keys = await create_source(
            tx,
            sender=asked.sender,
            name=asked.name,
            settings=asked.settings.model_dump(mode="json"),
            key_kinds=asked.keys,
            secret=asked.secret,
            wrapping=parts.wrapping,
        )
        row = await sources.source_row(tx, source_id)
        assert row is not None, "just made"
        body = {
            "id": str(source_id),
            "sender": asked.sender,
            "name": asked.name,
            "url": _url(parts, row),
            "keys": [_known(key) for key in keys],
        }
        headers = {"location": f"/v1/sources/{source_id}", "etag": etag_of(1)}
        return Answer(201, body, headers, shown_once={"keys": [_known(key) | _value(key) for key in keys]})

    response = await command(request, parts.database, principal, run)
    await parts.refresh_directory()
    return response


@router.patch("/{source_id}")
async def change_source(
    _: Manager, parts: PartsOf, request: Request, response: Response, source_id: UUID, asked: SourcePatch
) -> SourceShown:
    """Change name or settings."""
    async with transaction(parts.database, "command") as tx:
        row = await sources.source_row(tx, source_id, for_update=True)
        if row is None:
            raise NotFound("There is no source with this id; list them with GET /v1/sources.")
        check_if_match(request, current=etag_of(row["version"]))
        settings = None if asked.settings is None else asked.settings.model_dump(mode="json")
        changed = await patch_source(tx, source_id, name=asked.name, settings=settings)
        keys = await sources.keys_of(tx, [source_id])
    await parts.refresh_directory()
    response.headers["etag"] = etag_of(changed["version"])
    return _shown(parts, changed, keys)


@router.delete("/{source_id}", status_code=204)
async def end_source(_: Manager, parts: PartsOf, request: Request, source_id: UUID) -> None:
    """End a source."""
    async with transaction(parts.database, "command") as tx:
        row = await sources.source_row(tx, source_id, for_update=True)
        if row is None:
            raise NotFound("There is no source with this id; list them with GET /v1/sources.")
        check_if_match(request, current=etag_of(row["version"]))
        await delete_source(tx, source_id)
    await parts.refresh_directory()


@router.post("/{source_id}/rotate", status_code=201)
async def rotate(principal: Manager, parts: PartsOf, request: Request, source_id: UUID, asked: RotateAsked) -> Response:
    """A new key beside the old one, which ends after a day; shown once."""

    async def run(tx: Tx) -> Answer:
        key = await rotate_keys(tx, source_id, kind=asked.kind, secret=asked.secret, wrapping=parts.wrapping)
        return Answer(201, _known(key), shown_once=_value(key))

    response = await command(request, parts.database, principal, run)
    await parts.refresh_directory()
    return response


@router.post("/{source_id}/test")
async def test_source(principal: Manager, parts: PartsOf, request: Request, source_id: UUID) -> Response:
    """What to send and where, and when something last came: the wizard of the console asks until it did."""

    async def run(tx: Tx) -> Answer:
        row = await sources.source_row(tx, source_id)
        if row is None:
            raise NotFound("There is no source with this id; list them with GET /v1/sources.")
        last = await sources.last_delivery(tx, source_id)
        body = {"url": _url(parts, row), "received_at": None if last is None else last.isoformat()}
        return Answer(200, body)

    return await command(request, parts.database, principal, run)


def _url(parts: Parts, row: dict[str, Any]) -> str:
    if row["sender"] in KEYED_SENDERS:
        path = "/v1/events" if row["sender"] == "cloudevents" else "/v1"
        return f"{parts.public_url}{path}"
    return f"{parts.public_url}/webhooks/{row['sender']}/{row['address']}"


def _shown(parts: Parts, row: dict[str, Any], keys: list[dict[str, Any]]) -> SourceShown:
    own = [
        KeyShown(**{name: key[name] for name in KeyShown.model_fields}) for key in keys if key["source_id"] == row["id"]
    ]
    return SourceShown(
        id=row["id"],
        sender=row["sender"],
        name=row["name"],
        url=_url(parts, row),
        settings=row["settings"],
        version=row["version"],
        created_at=row["created_at"],
        keys=own,
    )


def _known(key: NewKey) -> dict[str, str]:
    """What is kept and repeated of a new key."""
    return {"id": str(key.id), "kind": key.kind}


def _value(key: NewKey) -> dict[str, str]:
    """A new key's value, shown once; a pasted secret is not echoed."""
    return {} if key.kind == "secret" else {"key": key.value}
