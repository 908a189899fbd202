"""Which lead each deal was last told of, by version, and the handoff that counts it: one, whoever is told of it.

Two leads may be told of one deal at once, from two partitions. A row is written under the locks of its lead and of its
handoff; who locks rows checks that it holds both, and begins again when it does not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, bindparam, select, text

from services.handoff.store.rows import in_ids, upsert_rows
from services.handoff.tables import deal
from shared.db.engine import ReadTx, Tx
from shared.ids import HandoffId, LeadId

__all__ = ["DealRow", "count_deals_for", "lock_deals", "read_deals", "save_deals"]

_MAKE = text(
    """
    insert into deal (id, lead_id, version, changed_at)
    select id, lead_id, 0, baton_now() from unnest(:ids, :leads) as named (id, lead_id) order by id
    on conflict (id) do nothing
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("leads", type_=ARRAY(Uuid)))
_LOCK = select(deal).where(in_ids(deal.c.id)).order_by(deal.c.id).with_for_update()
_READ = select(deal).where(in_ids(deal.c.id))


@dataclass(frozen=True, slots=True)
class DealRow:
    """A deal as last told: of whom, in which version (0: not yet), and the handoff that counts it, if there is one."""

    id: UUID
    lead_id: LeadId
    version: int
    handoff_id: HandoffId | None = None


async def read_deals(tx: ReadTx, deal_ids: Iterable[UUID]) -> list[DealRow]:
    """Deals as they are, without a lock: whose locks are needed to change them; unknown ones are absent."""
    return [_deal(row) for row in (await tx.execute(_READ, {"ids": sorted(set(deal_ids))})).all()]


async def lock_deals(tx: Tx, lead_of: Mapping[UUID, UUID]) -> dict[UUID, DealRow]:
    """Make and lock the rows of these deals, each with the lead it is told of, in id order; after the handoffs."""
    if not lead_of:
        return {}
    ids = sorted(lead_of)
    await tx.execute(_MAKE, {"ids": ids, "leads": [lead_of[each] for each in ids]})
    return {row.id: _deal(row) for row in (await tx.execute(_LOCK, {"ids": ids})).all()}


async def save_deals(tx: Tx, rows: Iterable[DealRow], *, now: datetime) -> None:
    """Write whole rows whose locks the caller holds."""
    await upsert_rows(tx, deal, [_values(row, now) for row in sorted(rows, key=lambda row: row.id)])


async def count_deals_for(tx: Tx, handoff_of: Mapping[UUID, HandoffId]) -> None:
    """These deals, told before there was an owner, count for these handoffs now; what is no deal is left out."""
    for deal_id in sorted(handoff_of):
        await tx.execute(
            text("update deal set handoff_id = :handoff where id = :id"),
            {"id": deal_id, "handoff": handoff_of[deal_id]},
        )


def _deal(row: Row[Any]) -> DealRow:
    handoff_id = None if row.handoff_id is None else HandoffId(row.handoff_id)
    return DealRow(row.id, LeadId(row.lead_id), row.version, handoff_id)


def _values(row: DealRow, now: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "lead_id": row.lead_id,
        "version": row.version,
        "handoff_id": row.handoff_id,
        "changed_at": now,
    }
