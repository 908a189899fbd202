"""Reads handoffs with their people and organisations, as far as a visitor may see them; for queue, board, stream."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from services.console.domain.queue import QueueItem, queue_item
from services.console.domain.records import HandoffRow, LeadRow, UserRow
from services.console.domain.rights import Viewer, sees_handoff
from services.console.store import pages
from shared.db.engine import ReadTx

__all__ = ["items_of", "visible"]


def visible(handoffs: Iterable[HandoffRow], viewer: Viewer, users: Mapping[UUID, UserRow]) -> list[HandoffRow]:
    """Those of the handoffs that are rows of this person's view."""
    return [handoff for handoff in handoffs if sees_handoff(viewer, handoff, users)]


async def items_of(tx: ReadTx, handoffs: Iterable[HandoffRow]) -> list[QueueItem]:
    """Handoffs ready to be drawn; a person nobody told us of yet has an empty row."""
    rows = list(handoffs)
    leads = await pages.leads_by_id(tx, {row.lead_id for row in rows})
    account_ids = {row.account_id for row in rows} | {lead.account_id for lead in leads.values()}
    accounts = await pages.accounts_of(tx, account_ids)
    items = []
    for row in rows:
        lead = leads.get(row.lead_id) or LeadRow(row.lead_id, row.root_lead_id)
        account_id = row.account_id or lead.account_id
        items.append(queue_item(row, lead, accounts.get(account_id) if account_id else None, now=tx.now))
    return items
