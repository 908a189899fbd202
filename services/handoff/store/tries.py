"""Tries of Sales that no handoff has claimed yet, by person, until they are claimed or too old."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.handoff.store import kept
from services.handoff.store.rows import insert_rows
from services.handoff.tables import sales_activity
from shared.db.engine import ReadTx, Tx
from shared.ids import AccountId, ActivityId, LeadId, UserId

__all__ = ["Try", "claim_tries", "keep_tries", "prune_tries", "unclaimed_of"]


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


async def unclaimed_of(
    tx: ReadTx, lead_ids: Iterable[UUID], *, roots: Iterable[UUID], scopes: Iterable[UUID]
) -> list[Try]:
    """What is kept of these members and people, and of everybody in these accounts, in the order it happened."""
    rows = await tx.execute(
        text(
            """
            select s.id, l.id as lead_id, l.root_id, l.account_id, s.actor_id, s.kind, s.occurred_at
              from lead l join sales_activity s on s.lead_id = l.id
             where l.id = any(:leads) or l.root_id = any(:roots) or l.account_id = any(:scopes)
             order by s.occurred_at, s.id
            """
        ),
        {"leads": sorted(set(lead_ids)), "roots": sorted(set(roots)), "scopes": sorted(set(scopes))},
    )
    return [
        Try(
            ActivityId(row.id),
            LeadId(row.lead_id),
            LeadId(row.root_id),
            None if row.account_id is None else AccountId(row.account_id),
            UserId(row.actor_id),
            row.kind,
            row.occurred_at,
        )
        for row in rows.all()
    ]


async def claim_tries(tx: Tx, ids: Sequence[UUID]) -> None:
    """These have been counted as touches."""
    await kept.claim(tx, sales_activity, ids)


async def prune_tries(tx: Tx) -> None:
    """Forget what nobody claimed; a bounded number at once; a use case of `every`."""
    await kept.prune(tx, sales_activity)
