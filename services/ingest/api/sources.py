"""Sources: list, make (keys shown once), change, rotate, revoke, test, delete; how each stands is shown with it."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from services.ingest.api.parts import Parts, PartsOf
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.mapping import BadMapping, read_mapping
from services.ingest.domain.source import is_zone, origin_of
from services.ingest.store import sources, standing
from services.ingest.usecases.sources import (
    CONNECTED_SENDERS,
    OVERLAP_HOURS,
    OVERLAP_HOURS_MAX,
    NewKey,
    create_source,
    delete_source,
    patch_source,
    revoke_key,
    rotate_keys,
)
from shared.db.engine import ReadTx, Tx, reading, transaction
from shared.errors import NotFound
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, check_if_match, command, etag_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/sources", tags=["sources"])
Reader = Annotated[Principal, Depends(requires("sources:read"))]
Manager = Annotated[Principal, Depends(requires("sources:manage"))]
_NONE_SUCH: Final = "There is no source with this id; list them with GET /v1/sources."
_BASES: Final = {"segment": "/v1", "cloudevents": "/v1/events"}  # of the others that bring a key: the host alone
_MAPPED_MAX: Final = 500


def _checked_origin(text: str) -> str:
    origin = origin_of(text)
    if origin is None:
        raise PydanticCustomError("origin", "write scheme, host and no path, like https://www.example.com")
    return origin


def _checked_zone(text: str) -> str:
    if not is_zone(text):
        raise PydanticCustomError("zone", "write a zone of the IANA list, like Europe/Berlin")
    return text


def _checked_kinds(names: dict[str, str]) -> dict[str, str]:
    unknown = next((kind for kind in names.values() if kind not in CHANNELS), None)
    if unknown is not None:
        raise PydanticCustomError("kind", "{kind} is no kind of ours: {kinds}", {"kind": unknown, "kinds": _KINDS})
    return names


def _checked_mapping(said: dict[str, Any]) -> dict[str, Any]:
    try:
        read_mapping(said)
    except BadMapping as error:
        raise PydanticCustomError(
            "mapping", "{field}: {reason}", {"field": error.field, "reason": error.reason}
        ) from None
    return said


_KINDS: Final = ", ".join(sorted(CHANNELS))
Origin = Annotated[str, AfterValidator(_checked_origin)]
Zone = Annotated[str, AfterValidator(_checked_zone)]
Kinds = Annotated[dict[str, str], AfterValidator(_checked_kinds)]
Mapped = Annotated[dict[str, Any], AfterValidator(_checked_mapping)]
Texts = dict[
    Annotated[str, Field(min_length=1, max_length=64)],
    Annotated[str, Field(max_length=2_000)],
]


class PageRule(Asked):
    """A path pattern (`*` = anything) and what such a page is worth."""

    path: str = Field(min_length=1, max_length=256)
    content: str = Field(min_length=1, max_length=64)


class SettingsAsked(Asked):
    """What marketing sets for a source."""

    origins: list[Origin] = Field(default_factory=list, max_length=100, description="web origins of its browser key")
    pages: list[PageRule] = Field(default_factory=list, max_length=500, description="page patterns, tried in order")
    names: Kinds = Field(default_factory=dict, max_length=_MAPPED_MAX, description="name of a tracked event to kind")
    properties: list[str] = Field(default_factory=list, max_length=100, description="properties that are not personal")
    consent: Literal["granted", "unknown"] = Field("unknown", description="what it states for everybody it sends")
    entry_channel: str | None = Field(None, max_length=32)
    rate_per_second: int | None = Field(None, ge=1, le=100_000)
    time_zone: Zone | None = Field(None, description="IANA zone in which times without one are meant; none: UTC")
    mapping: Mapped = Field(
        default_factory=dict, max_length=_MAPPED_MAX, description="of a generic sender: our field to JSON path"
    )
    options: Texts = Field(
        default_factory=dict, max_length=_MAPPED_MAX, description="what this sender alone needs, by the name it states"
    )


class SourceAsked(Asked):
    """A new source."""

    sender: str = Field(max_length=64, description="segment, cloudevents, sendgrid, …")
    name: str = Field(min_length=1, max_length=200)
    settings: SettingsAsked = Field(default_factory=SettingsAsked)
    keys: list[Literal["server_key", "browser_key"]] = Field(["server_key"], max_length=2)
    secret: str | None = Field(None, max_length=4096, description="signing secret or public key of a sender that signs")


class SourcePatch(Asked):
    """A change of a source, as a merge patch: settings that are not named stay."""

    name: str | None = Field(None, min_length=1, max_length=200)
    settings: SettingsAsked | None = None


class RotateAsked(Asked):
    """Which kind of key is made anew."""

    kind: Literal["server_key", "browser_key", "secret", "api_token"]
    secret: str | None = Field(None, max_length=4096, description="the new secret, or the token of the sender's API")
    overlap_hours: int = Field(
        OVERLAP_HOURS, ge=0, le=OVERLAP_HOURS_MAX, description="how long the old key still works; 0 ends it now"
    )


class KeyShown(Answered):
    """A key without its value."""

    id: UUID
    kind: str
    shown_prefix: str
    created_at: datetime
    valid_until: datetime | None


class SourceStanding(Answered):
    """How a source stands: the last delivery that was handled, and what came within the last day."""

    last_received_at: datetime | None
    deliveries: int
    events: int
    refused: int
    parked: int


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
    standing: SourceStanding


@router.get("")
async def list_sources(_: Reader, parts: PartsOf) -> dict[str, list[SourceShown]]:
    """All live sources, oldest first; there are few, so there are no pages."""
    async with reading(parts.database) as tx:
        return {"sources": await _shown(tx, parts, await sources.source_rows(tx))}


@router.get("/{source_id}")
async def get_source(_: Reader, parts: PartsOf, source_id: UUID, response: Response) -> SourceShown:
    """One source; its ETag is what If-Match wants."""
    async with reading(parts.database) as tx:
        row = await sources.source_row(tx, source_id)
        if row is None:
            raise NotFound(_NONE_SUCH)
        (shown,) = await _shown(tx, parts, [row])
    response.headers["etag"] = etag_of(row["version"])
    return shown


@router.post("", status_code=201)
async def post_source(principal: Manager, parts: PartsOf, request: Request, asked: SourceAsked) -> Response:
    """Make a source; the answer shows its keys, once."""

    async def run(tx: Tx) -> Answer:
        source_id, keys = await create_source(
            tx,
            sender=asked.sender,
            name=asked.name,
            settings=asked.settings.model_dump(mode="json", exclude_none=True),
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
            raise NotFound(_NONE_SUCH)
        check_if_match(request, current=etag_of(row["version"]))
        settings = None if asked.settings is None else asked.settings.model_dump(mode="json", exclude_unset=True)
        changed = await patch_source(tx, source_id, name=asked.name, settings=settings)
        (shown,) = await _shown(tx, parts, [changed])
    await parts.refresh_directory()
    response.headers["etag"] = etag_of(changed["version"])
    return shown


@router.delete("/{source_id}", status_code=204)
async def end_source(_: Manager, parts: PartsOf, request: Request, source_id: UUID) -> None:
    """End a source."""
    async with transaction(parts.database, "command") as tx:
        row = await sources.source_row(tx, source_id, for_update=True)
        if row is None:
            raise NotFound(_NONE_SUCH)
        check_if_match(request, current=etag_of(row["version"]))
        await delete_source(tx, source_id)
    await parts.refresh_directory()


@router.post("/{source_id}/rotate", status_code=201)
async def rotate(principal: Manager, parts: PartsOf, request: Request, source_id: UUID, asked: RotateAsked) -> Response:
    """A new key beside the old one, which ends after the overlap; shown once."""

    async def run(tx: Tx) -> Answer:
        key = await rotate_keys(
            tx,
            source_id,
            kind=asked.kind,
            secret=asked.secret,
            wrapping=parts.wrapping,
            overlap_hours=asked.overlap_hours,
        )
        return Answer(201, _known(key), shown_once=_value(key))

    response = await command(request, parts.database, principal, run)
    await parts.refresh_directory()
    return response


@router.post("/{source_id}/keys/{key_id}/revoke")
async def revoke(principal: Manager, parts: PartsOf, request: Request, source_id: UUID, key_id: UUID) -> Response:
    """End one key at once, everywhere: this process's door knows it before the answer, the others within 10 s."""

    async def run(tx: Tx) -> Answer:
        key = await revoke_key(tx, source_id, key_id)
        return Answer(200, {"id": str(key_id), "kind": key["kind"], "valid_until": key["valid_until"].isoformat()})

    response = await command(request, parts.database, principal, run)
    await parts.refresh_directory()
    return response


@router.post("/{source_id}/test")
async def test_source(principal: Manager, parts: PartsOf, request: Request, source_id: UUID) -> Response:
    """What to send and where, and what came since: ask again until `received_at` or `parked` moves."""

    async def run(tx: Tx) -> Answer:
        row = await sources.source_row(tx, source_id)
        if row is None:
            raise NotFound(_NONE_SUCH)
        (shown,) = await _shown(tx, parts, [row])
        last = shown.standing.last_received_at
        adapter = CONNECTED_SENDERS.get(row["sender"])
        body = {
            "url": shown.url,
            "received_at": None if last is None else last.isoformat(),
            "parked": shown.standing.parked,
            "setup": [] if adapter is None else list(adapter.SETUP),
        }
        return Answer(200, body)

    return await command(request, parts.database, principal, run)


def _url(parts: Parts, row: dict[str, Any]) -> str:
    """What a person pastes there: the host for senders that bring a key, an address of its own for the others."""
    adapter = CONNECTED_SENDERS.get(row["sender"])
    if adapter is not None and adapter.PROOF == "key":
        return f"{parts.public_url}{_BASES.get(row['sender'], '')}"
    return f"{parts.public_url}/webhooks/{row['sender']}/{row['address']}"


async def _shown(tx: ReadTx, parts: Parts, rows: list[dict[str, Any]]) -> list[SourceShown]:
    ids = [row["id"] for row in rows]
    keys = await sources.keys_of(tx, ids)
    last, sums = await standing.last_deliveries(tx, ids), await standing.sums_of(tx, ids)
    parked = await standing.open_parked(tx)
    return [
        SourceShown(
            **{name: row[name] for name in ("id", "sender", "name", "settings", "version", "created_at")},
            url=_url(parts, row),
            keys=[
                KeyShown(**{name: key[name] for name in KeyShown.model_fields})
                for key in keys
                if key["source_id"] == row["id"]
            ],
            standing=SourceStanding(
                last_received_at=last.get(row["id"]),
                parked=parked.get(str(row["id"]), 0),
                **sums.get(row["id"], {"deliveries": 0, "events": 0, "refused": 0}),
            ),
        )
        for row in rows
    ]


def _known(key: NewKey) -> dict[str, str]:
    """What is kept and repeated of a new key."""
    return {"id": str(key.id), "kind": key.kind}


def _value(key: NewKey) -> dict[str, str]:
    """A new key's value, shown once; a pasted secret is not echoed."""
    return {} if key.is_pasted else {"key": key.value}
