"""Erasures, exports of one person, and what unknown consent means."""

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.ingest.api.leads import External
from services.ingest.api.parts import PartsOf
from services.ingest.domain.keys import Key, keys_of
from services.ingest.domain.observation import Person
from services.ingest.store import consents, erasures
from services.ingest.store.consents import DefaultRow
from services.ingest.usecases.consent_default import answer_default
from services.ingest.usecases.erasing import erase
from services.ingest.usecases.exporting import ask_export, document_of, own_part_of
from shared.db.engine import Tx, reading, transaction
from shared.errors import FieldError, NotFound, Refused
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command, etag_of, if_match

__all__ = ["router"]

router = APIRouter(tags=["privacy"])
Officer = Annotated[Principal, Depends(requires("privacy:act"))]


class WhoAsked(Asked):
    """Who is meant: by lead, or by any identifier."""

    lead_id: UUID | None = Field(None, strict=False)
    email: str | None = Field(None, max_length=254)
    user_id: str | None = Field(None, max_length=256)
    phone: str | None = Field(None, max_length=32)
    anonymous_id: str | None = Field(None, max_length=256)
    external: External | None = None

    def keys(self) -> tuple[Key, ...]:
        """The identifiers as keys. Raises Refused when nobody is named."""
        external = None if self.external is None else (self.external.system, self.external.id)
        keys = keys_of(
            Person(
                anonymous_id=self.anonymous_id,
                user_id=self.user_id,
                email=self.email,
                phone=self.phone,
                external=external,
            )
        )
        if self.lead_id is None and not keys:
            error = FieldError("/email", "missing", "give a lead_id or any identifier in its full form")
            raise Refused("Say who is meant.", errors=[error])
        return keys


class DefaultAsked(Asked):
    """Whether a person without recorded consent may be scored (where the law allows it)."""

    is_allowed: bool


class DefaultShown(Answered):
    """What unknown consent means now."""

    is_answered: bool
    is_allowed: bool
    version: int


@router.post("/v1/erasures", status_code=202)
async def post_erasure(principal: Officer, parts: PartsOf, request: Request, asked: WhoAsked) -> Response:
    """Erase a person: names and texts now, elsewhere within the hour; he stays out."""
    keys = asked.keys()

    async def run(tx: Tx) -> Answer:
        by = f"{principal.kind}:{principal.id}"
        erasure_id = await erase(tx, lead_id=asked.lead_id, keys=keys, by=by, hashed=parts.hashed)
        row = await erasures.erasure_row(tx, erasure_id)
        assert row is not None, "just made"
        body = {"id": str(erasure_id), "lead_ids": [str(one) for one in row["lead_ids"]], "state": "done"}
        return Answer(202, body, {"location": f"/v1/erasures/{erasure_id}"})

    return await command(request, parts.database, principal, run)


@router.get("/v1/erasures/{erasure_id}")
async def get_erasure(_: Officer, parts: PartsOf, erasure_id: UUID) -> dict[str, object]:
    """One erasure: ids and time, nothing of the person."""
    async with reading(parts.database) as tx:
        row = await erasures.erasure_row(tx, erasure_id)
    if row is None:
        raise NotFound("There is no erasure with this id.")
    return {"id": row["id"], "lead_ids": row["lead_ids"], "keys": row["keys"], "at": row["at"], "state": "done"}


@router.post("/v1/exports", status_code=202)
async def post_export(principal: Officer, parts: PartsOf, request: Request, asked: WhoAsked) -> Response:
    """Ask for all that is kept of one person; fetch it within the hour."""
    keys = asked.keys()

    async def run(tx: Tx) -> Answer:
        by = f"{principal.kind}:{principal.id}"
        export_id, lead_id = await ask_export(tx, lead_id=asked.lead_id, keys=keys, by=by, hashed=parts.hashed)
        body = {"id": str(export_id), "lead_id": str(lead_id)}
        return Answer(202, body, {"location": f"/v1/exports/{export_id}"})

    return await command(request, parts.database, principal, run)


@router.get("/v1/exports/{export_id}")
async def get_export(_: Officer, parts: PartsOf, export_id: UUID) -> Response:
    """The document: identifiers, profile, activities with texts, consents, score, handoffs, recipients, outcomes."""
    async with reading(parts.database) as tx:
        own, now = await own_part_of(tx, export_id), tx.now
    document = document_of(export_id, own, await parts.ask(own.lead_ids), at=now)
    return Response(orjson.dumps(document, default=str), media_type="application/json")


@router.get("/v1/consent-default")
async def get_default(
    _: Annotated[Principal, Depends(requires("consent:read"))], parts: PartsOf, response: Response
) -> DefaultShown:
    """What unknown consent means; unanswered it is not scored."""
    async with reading(parts.database) as tx:
        return _default(await consents.default(tx), response)


@router.put("/v1/consent-default")
async def put_default(
    principal: Annotated[Principal, Depends(requires("admin"))],
    parts: PartsOf,
    request: Request,
    response: Response,
    asked: DefaultAsked,
) -> DefaultShown:
    """Answer it; everybody of unknown consent is told within seconds."""
    seen = if_match(request)
    async with transaction(parts.database, "command") as tx:
        by = f"{principal.kind}:{principal.id}"
        row = await answer_default(tx, scored=asked.is_allowed, seen=seen, by=by)
    return _default(row, response)


def _default(row: DefaultRow, response: Response) -> DefaultShown:
    response.headers["etag"] = etag_of(row.version)
    return DefaultShown(
        is_answered=row.unknown_means != "", is_allowed=row.unknown_means == "scored", version=row.version
    )
