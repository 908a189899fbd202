"""Stored decisions and the daily limit of exploration. A decision is written once and never changed; kept 25 months."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Text, Uuid, bindparam, text

from shared.db.engine import ReadTx, Tx
from shared.ids import AccountId, LeadId

__all__ = [
    "ADDED_DECISIONS",
    "DECISION_COLUMNS",
    "Counts",
    "StoredDecision",
    "add_decisions",
    "decision_by_id",
    "decision_columns",
    "draw_counts",
    "drop_old_decisions",
    "keep_limit",
    "kept_limit",
    "newest_decisions",
]

DROP_SLICE = 5_000
SHOWN_MOST = 20  # decisions named beside an explanation
_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision: kind is qualified, taken_over, demoted, drawn or account_qualified; content is JSON text."""

    decision_id: UUID
    lead_id: LeadId | None
    account_id: AccountId | None
    kind: str
    number: int
    decided_at: datetime
    content: str


@dataclass(frozen=True, slots=True)
class Counts:
    """The last seven days: leads handed off by any policy, and leads that were drawn."""

    handoffs: int
    eligible: int


ADDED_DECISIONS = """
    insert into decision (decision_id, lead_id, account_id, kind, number, decided_at, content)
    select * from unnest(:decision_ids, :decided_leads, :decided_accounts, :decision_kinds, :decision_numbers, :decided,
                         :decision_contents)
    on conflict do nothing
"""
DECISION_COLUMNS = (
    bindparam("decision_ids", type_=ARRAY(Uuid)),
    bindparam("decided_leads", type_=ARRAY(Uuid)),
    bindparam("decided_accounts", type_=ARRAY(Uuid)),
    bindparam("decision_kinds", type_=ARRAY(Text)),
    bindparam("decision_numbers", type_=ARRAY(Integer)),
    bindparam("decided", type_=ARRAY(DateTime(timezone=True))),
    bindparam("decision_contents", type_=ARRAY(Text)),
)
_ADD = text(ADDED_DECISIONS).bindparams(*DECISION_COLUMNS)
_BY_ID = text("select * from decision where decision_id = :id")
_NEWEST = text(
    """
    select * from decision where lead_id = any(:ids) and account_id is null and decided_at <= :as_of
     order by decided_at desc, number desc limit :most
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_COUNTS = text(
    """
    select count(*) filter (where kind = 'qualified') as handoffs,
           count(*) filter (where kind = 'drawn' or content::jsonb ->> 'policy' = 'explored') as eligible
      from decision where decided_at > :since and decided_at <= :until and lead_id is not null
    """
)
_LIMIT = text("select draw_limit from exploration where on_date = :on_date")
_KEEP_LIMIT = text(
    """
    insert into exploration (on_date, draw_limit, handoffs, eligible)
    values (:on_date, :draw_limit, :handoffs, :eligible) on conflict do nothing
    """
)
_DROP = text(
    """
    delete from decision where decision_id in (
        select decision_id from decision where decided_at < :before limit :most)
    """
)


async def add_decisions(tx: Tx, decisions: Sequence[StoredDecision]) -> None:
    """Append decisions; the same one again adds nothing."""
    if decisions:
        await tx.execute(_ADD, decision_columns(decisions))


def decision_columns(decisions: Sequence[StoredDecision]) -> dict[str, list[Any]]:
    """The parameters of ADDED_DECISIONS."""
    return {
        "decision_ids": [each.decision_id for each in decisions],
        "decided_leads": [each.lead_id for each in decisions],
        "decided_accounts": [each.account_id for each in decisions],
        "decision_kinds": [each.kind for each in decisions],
        "decision_numbers": [each.number for each in decisions],
        "decided": [each.decided_at for each in decisions],
        "decision_contents": [each.content for each in decisions],
    }


async def decision_by_id(tx: ReadTx, decision_id: UUID) -> StoredDecision | None:
    """One decision, or None."""
    row = (await tx.execute(_BY_ID, {"id": decision_id})).mappings().one_or_none()
    return None if row is None else StoredDecision(**row)


async def newest_decisions(tx: ReadTx, lead_ids: Sequence[LeadId], *, as_of: datetime) -> list[StoredDecision]:
    """The newest decisions about these leads until as_of, newest first."""
    rows = (await tx.execute(_NEWEST, {"ids": list(lead_ids), "as_of": as_of, "most": SHOWN_MOST})).mappings()
    return [StoredDecision(**row) for row in rows]


async def draw_counts(tx: ReadTx) -> Counts:
    """Handoffs and draws of the last seven days of the world."""
    row: Any = (await tx.execute(_COUNTS, {"since": tx.now - _WINDOW, "until": tx.now})).one()
    return Counts(row.handoffs, row.eligible)


async def kept_limit(tx: ReadTx, on_date: date) -> float | None:
    """The draw limit set for a day of the world, or None when it is not set yet."""
    found = (await tx.execute(_LIMIT, {"on_date": on_date})).scalar_one_or_none()
    return None if found is None else float(found)


async def keep_limit(tx: Tx, on_date: date, limit: float, counts: Counts) -> None:
    """Set the draw limit of a day; the first one stays."""
    asked = {"on_date": on_date, "draw_limit": limit, "handoffs": counts.handoffs, "eligible": counts.eligible}
    await tx.execute(_KEEP_LIMIT, asked)


async def drop_old_decisions(tx: Tx, *, before: datetime) -> int:
    """Delete one slice of decisions older than the retention; returns how many."""
    return (await tx.execute(_DROP, {"before": before, "most": DROP_SLICE})).rowcount
