"""What other services ask of ingest when they render: names and texts. On the internal port, by service tokens."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from services.ingest.api.parts import Parts
from services.ingest.domain.observation import ConsentClaim
from services.ingest.store import people, reads
from services.ingest.usecases.leads import state_consent
from shared.db.engine import reading, transaction
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires

__all__ = ["internal_router"]

Service = Annotated[Principal, Depends(requires("service"))]
_IDS_MAX = 500
_Id = Annotated[UUID, Field(strict=False)]


class ProfilesAsked(Asked):
    """Whose names, and what for."""

    lead_ids: list[_Id] = Field(max_length=_IDS_MAX)
    purpose: str = Field(min_length=1, max_length=64, description="card, dispatch, crm, search: counted, not judged")


class TextsAsked(Asked):
    """The texts of which activities."""

    activity_ids: list[_Id] = Field(max_length=_IDS_MAX)


class WithdrawalAsked(Asked):
    """Sales learned that a person must not be contacted."""

    lead_id: UUID = Field(strict=False)
    wording: str | None = Field(None, max_length=2_000)


class ProfileShown(Answered):
    """One person's names as of now; of a merged lead those of the whole person."""

    lead_id: UUID
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    title: str | None = None
    company: str | None = None


class TextShown(Answered):
    """The personal part of one activity."""

    activity_id: UUID
    lead_id: UUID
    url: str | None
    recipient: str | None
    subject: str | None
    text: str | None
    answers: dict[str, Any]
    user_agent_family: str | None
    occurred_at: datetime


def internal_router(parts: Parts) -> APIRouter:
    """The routes of the internal port that are ingest's own."""
    router = APIRouter(prefix="/internal", tags=["internal"])

    @router.post("/profiles")
    async def profiles(_: Service, asked: ProfilesAsked) -> dict[str, list[ProfileShown]]:
        """Names by lead id; erased and unknown ids are absent."""
        async with reading(parts.database) as tx:
            found = await reads.tree_profiles(tx, asked.lead_ids)
        return {"profiles": [ProfileShown(lead_id=lead_id, **_names(fields)) for lead_id, fields in found.items()]}

    @router.post("/activity-texts")
    async def activity_texts(_: Service, asked: TextsAsked) -> dict[str, list[TextShown]]:
        """Texts by activity id; those without any are absent."""
        async with reading(parts.database) as tx:
            rows = await people.texts(tx, asked.activity_ids)
        return {"texts": [TextShown(**row) for row in rows]}

    @router.post("/withdrawals")
    async def withdraw(principal: Service, asked: WithdrawalAsked) -> dict[str, UUID]:
        """A reject route `suppress`: consent to contact and profiling is withdrawn; repeats change nothing."""
        async with transaction(parts.database, "command") as tx:
            root_id = asked.lead_id
            for purpose in ("profiling", "contact"):
                claim = ConsentClaim(purpose, "withdrawn", is_own_act=True, wording=asked.wording)
                by = f"{principal.kind}:{principal.id}"
                root_id = await state_consent(tx, asked.lead_id, claim, by=by, hashed=parts.hashed)
        return {"lead_id": root_id}

    return router


def _names(fields: dict[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in ("name", "email", "phone", "title", "company") if name in fields}
