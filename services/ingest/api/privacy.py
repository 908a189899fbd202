"""Erasures, and what unknown consent means."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.ingest.api.leads import External
from services.ingest.api.parts import PartsOf
from services.ingest.domain.keys import keys_of
from services.ingest.domain.observation import Person
from services.ingest.store import consents, erasures
from services.ingest.store.consents import DefaultRow
from services.ingest.usecases.consent_default import answer_default
from services.ingest.usecases.erasing import erase
from shared.db.engine import Tx, reading, transaction
from shared.errors import FieldError, NotFound, Refused
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command, etag_of, if_match

__all__ = ["router"]

router = APIRouter(tags=["privacy"])
Officer = Annotated[Principal, Depends(requires("privacy:act"))]


class ErasureAsked(Asked):
    """Whom to erase: by lead, or by any identifier."""

    lead_id: UUID | None = Field(None, strict=False)
    email: str | None = Field(None, max_length=254)
    user_id: str | None = Field(None, max_length=256)
    phone: str | None = Field(None, max_length=32)
    anonymous_id: str | None = Field(None, max_length=256)
    external: External | None = None


class DefaultAsked(Asked):
    """Whether a person without recorded consent may be scored (where the law allows it)."""

    is_allowed: bool


class DefaultShown(Answered):
    """What unknown consent means now."""

    is_answered: bool
    is_allowed: bool
    version: int


@router.post("/v1/erasures", status_code=202)
async def post_erasure(principal: Officer, parts: PartsOf, request: Request, asked: ErasureAsked) -> Response:
    """Erase a person: names and texts now, elsewhere within the hour; he stays out."""
    external = None if asked.external is None else (asked.external.system, asked.external.id)
    keys = keys_of(
        Person(
            anonymous_id=asked.anonymous_id,
            user_id=asked.user_id,
            email=asked.email,
            phone=asked.phone,
            external=external,
        )
    )
    if asked.lead_id is None and not keys:
        error = FieldError("/email", "missing", "give a lead_id or any identifier in its full form")
        raise Refused("Say whom to erase.", errors=[error])

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
