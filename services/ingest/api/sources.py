"""Sources: list, make (keys shown once), change, rotate, revoke, test, delete; how each stands is shown with it."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.ingest.api.parts import Parts, PartsOf
from services.ingest.api.source_forms import (
    KeyShown,
    RotateAsked,
    SourceAsked,
    SourcePatch,
    SourceShown,
    SourceStanding,
)
from services.ingest.store import sources, standing
from services.ingest.usecases.sources import (
    CONNECTED_SENDERS,
    NewKey,
    create_source,
    delete_source,
    patch_source,
    revoke_key,
    rotate_keys,
)
from shared.db.engine import ReadTx, Tx, reading, transaction
from shared.errors import NotFound
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, check_if_match, command, etag_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/sources", tags=["sources"])
Reader = Annotated[Principal, Depends(requires("sources:read"))]
Manager = Annotated[Principal, Depends(requires("sources:manage"))]
_NONE_SUCH: Final = "There is no source with this id; list them with GET /v1/sources."
_OTHER_HOST: Final = (
    "Another `api_url` ended the API token of this source, so that it is never sent to a host it was not given for; "
    "give the source a token of the new host."
)
_BASES: Final = {"segment": "/v1", "cloudevents": "/v1/events"}  # of the others that bring a key: the host alone


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
    """Change name or settings. Another `api_url` ends the API token, which was given for the host before."""
    async with transaction(parts.database, "command") as tx:
        row = await sources.source_row(tx, source_id, for_update=True)
        if row is None:
            raise NotFound(_NONE_SUCH)
        check_if_match(request, current=etag_of(row["version"]))
        settings = None if asked.settings is None else asked.settings.model_dump(mode="json", exclude_unset=True)
        changed = await patch_source(tx, source_id, name=asked.name, settings=settings)
        (shown,) = await _shown(tx, parts, [changed])
    if changed["tokens_ended"]:
        shown = shown.model_copy(update={"notice": _OTHER_HOST})
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
