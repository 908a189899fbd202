"""Tries of Sales that no handoff has claimed yet, by person, until they are claimed or too old."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.handoff.store import kept
from services.handoff.store.rows import insert_rows
from services.handoff.tables import sales_activity
from shared.db.engine import Tx
from shared.ids import AccountId, ActivityId, LeadId, UserId

__all__ = ["Try", "claim_tries", "keep_tries", "prune_tries"]


@dataclass(frozen=True, slots=True)
class Try:
    """One try: whose, of whom, when; root_id is the person as stored, account_id its account."""

    id: ActivityId
    lead_id: LeadId
    root_id: LeadId
    account_id: AccountId | None
    actor_id: UserId
    kind: str
    occurred_at: datetime


async def keep_tries(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep tries that served no promise; an activity is kept once."""
    await insert_rows(tx, sales_activity, rows, is_once=True)


async def claim_tries(tx: Tx, ids: Sequence[UUID]) -> None:
    """These have been counted as touches."""
    await kept.claim(tx, sales_activity, ids)


async def prune_tries(tx: Tx) -> None:
    """Forget what nobody claimed; a bounded number at once; a use case of `every`."""
    await kept.prune(tx, sales_activity)
