"""Tells all people of an account what is newly known of it: a batch only tells the lead it was handling."""

from services.ingest.store import accounts, identity
from services.ingest.store.statements import save_together
from services.ingest.usecases.normalise.draft import SOURCE
from services.ingest.usecases.normalise.profiling import linked_event
from shared.contracts.envelope import Event
from shared.db.engine import Tx
from shared.ids import derived_id
from shared.stream.outbox import emit

__all__ = ["LEADS_MAX", "tell_account"]

LEADS_MAX = 500  # people told in one transaction; nobody's account has more that score


async def tell_account(tx: Tx) -> None:
    """Tell the people of one changed account, at most LEADS_MAX of them; does nothing when none changed."""
    account_id = await accounts.untold_account(tx)
    if account_id is None:
        return
    members = await accounts.members_of(tx, account_id, limit=LEADS_MAX)
    leads = await identity.lock_trees(tx, members)
    row = (await accounts.accounts(tx, [account_id]))[account_id]
    changed = [leads[one] for one in members if leads[one].account_id == account_id]
    for lead in changed:
        lead.link_version += 1
        event_id = derived_id("lead.linked", lead.id, lead.link_version)
        payload = linked_event(lead, row)
        emit(tx, Event.first(payload, source=SOURCE, occurred_at=tx.now, recorded_at=tx.now, id=event_id))
    await save_together(tx, [identity.changed_leads(changed)])
    await accounts.mark_told(tx, account_id, version=row.version)
