"""Accounts by HTTP: one account and the people linked to it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from services.ingest.api.parts import PartsOf
from services.ingest.store import accounts, reads
from shared.db.engine import reading
from shared.errors import NotFound
from shared.web.app_factory import Answered
from shared.web.auth import Principal, requires

__all__ = ["router"]

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])
_LEADS_MAX = 200  # the last active people; a report shows the others


class AccountShown(Answered):
    """One organisation."""

    id: UUID
    name: str | None
    domain: str | None
    industry: str | None
    staff_band: str | None
    country: str | None
    is_target: bool | None
    is_competitor: bool | None
    is_customer: bool | None
    lead_ids: list[UUID]
    created_at: datetime
    updated_at: datetime


@router.get("/{account_id}")
async def get_account(
    _: Annotated[Principal, Depends(requires("leads:read"))], parts: PartsOf, account_id: UUID
) -> AccountShown:
    """One account with its last active people."""
    async with reading(parts.database) as tx:
        row = (await accounts.accounts(tx, [account_id])).get(account_id)
        lead_ids = await reads.account_leads(tx, account_id, limit=_LEADS_MAX)
    if row is None:
        raise NotFound("There is no account with this id.")
    named = {name: getattr(row, name) for name in AccountShown.model_fields if name != "lead_ids"}
    return AccountShown(**{**named, "name": row.name or row.domain}, lead_ids=lead_ids)
