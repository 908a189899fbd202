"""Folds a batch of events of any topic into the read model, and numbers what changed as the last statement.

One use case for all types, so that a batch is one call: lock rows in id order, fold purely, save, number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.console.domain.folding import (
    fold_account_link,
    fold_account_score,
    fold_agreement,
    fold_handoff,
    fold_lead,
    fold_opportunity,
    lead_ids_of,
)
from services.console.domain.history import history_row
from services.console.domain.records import AccountRow, AgreementRow, HandoffRow, LeadRow, OpportunityRow, TimelineRow
from services.console.store import changes, read_model
from shared.contracts.activities import ActivityCorrected
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event
from shared.contracts.handoffs import HandoffEvent
from shared.contracts.leads import LeadErased, LeadLinked, LeadMerged, LeadSplit
from shared.contracts.outcomes import OpportunityChanged
from shared.contracts.scores import AccountScored
from shared.db.engine import Tx
from shared.telemetry import announce

__all__ = ["fold_events"]


@dataclass
class _Batch:
    """The rows a batch works on, and what of them changed."""

    leads: dict[UUID, LeadRow]
    accounts: dict[UUID, AccountRow]
    handoffs: dict[UUID, HandoffRow]
    deals: dict[UUID, OpportunityRow]
    changed_leads: set[UUID] = field(default_factory=set)
    changed_accounts: set[UUID] = field(default_factory=set)
    changed_handoffs: set[UUID] = field(default_factory=set)
    changed_deals: set[UUID] = field(default_factory=set)
    lines: list[TimelineRow] = field(default_factory=list)
    agreements: list[AgreementRow] = field(default_factory=list)
    corrections: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    moved: list[UUID] = field(default_factory=list)
    seen_leads: dict[UUID, None] = field(default_factory=dict)  # in order, for their change numbers


async def fold_events(tx: Tx, received: Sequence[Event[Any]]) -> None:
    """Apply new events of a batch in log order; rows that older events name are left as they are."""
    batch = await _lock(tx, received)
    await announce("batch:after_locks")
    for event in received:
        _apply(batch, event)
    await _save(tx, batch)
    await announce("batch:after_save")
    await changes.number_changes(tx, _changed(batch))


async def _lock(tx: Tx, received: Iterable[Event[Any]]) -> _Batch:
    payloads = [event.payload for event in received]
    leads = await read_model.lock_leads(tx, [lead_id for event in received for lead_id in lead_ids_of(event)])
    accounts = await read_model.lock_accounts(
        tx, [payload.account_id for payload in payloads if isinstance(payload, (LeadLinked, AccountScored))]
    )
    handoffs = await read_model.lock_handoffs(
        tx, [payload.handoff_id for payload in payloads if isinstance(payload, HandoffEvent)]
    )
    deals = await read_model.lock_opportunities(
        tx, [payload.opportunity_id for payload in payloads if isinstance(payload, OpportunityChanged)]
    )
    return _Batch(leads, accounts, handoffs, deals)


def _apply(batch: _Batch, event: Event[Any]) -> None:
    payload = event.payload
    lead_id = getattr(payload, "lead_id", None)
    line = history_row(event, batch.leads.get(lead_id) if lead_id else None)
    for one in lead_ids_of(event):
        before = batch.leads[one]
        batch.leads[one] = after = fold_lead(before, event) if _is_about(payload, one) else before
        if after is not before:
            batch.changed_leads.add(one)
            batch.seen_leads[one] = None
    match payload:
        case HandoffEvent():
            known = batch.handoffs.get(payload.handoff_id)
            folded = fold_handoff(known, event)
            if folded is None or folded is known:
                return  # an older event of this handoff: its line was made when it was new, or never
            batch.handoffs[payload.handoff_id] = folded
            batch.changed_handoffs.add(payload.handoff_id)
        case LeadMerged() | LeadSplit():
            batch.moved.append(payload.lead_id)
        case LeadLinked():
            batch.accounts[payload.account_id] = fold_account_link(batch.accounts.get(payload.account_id), payload)
            batch.changed_accounts.add(payload.account_id)
        case AccountScored():
            batch.accounts[payload.account_id] = fold_account_score(batch.accounts.get(payload.account_id), payload)
            batch.changed_accounts.add(payload.account_id)
        case OpportunityChanged():
            known_deal = batch.deals.get(payload.opportunity_id)
            batch.deals[payload.opportunity_id] = fold_opportunity(known_deal, payload)
            batch.changed_deals.add(payload.opportunity_id)
        case AgreementPublished():
            batch.agreements.append(fold_agreement(payload))
        case ActivityCorrected():
            batch.corrections[payload.activity_id] = {
                "human": payload.human,
                **({"human_reason": payload.human_reason} if payload.human_reason else {}),
            }
            return
        case _:
            pass
    if line is not None:
        batch.lines.append(line)
        batch.seen_leads[line.lead_id] = None


def _is_about(payload: Any, lead_id: UUID) -> bool:  # noqa: ANN401  # a payload of any type
    """Whether a lead's own row folds this event; a merge locks the root too, an erasure is about all members."""
    return isinstance(payload, LeadErased) or bool(payload.lead_id == lead_id)


async def _save(tx: Tx, batch: _Batch) -> None:
    await read_model.save_leads(tx, [batch.leads[lead_id] for lead_id in sorted(batch.changed_leads)])
    if batch.moved:
        await read_model.move_roots(tx, batch.moved)
    await read_model.save_accounts(tx, [batch.accounts[one] for one in sorted(batch.changed_accounts)])
    await read_model.save_handoffs(tx, [batch.handoffs[one] for one in sorted(batch.changed_handoffs)])
    await read_model.save_opportunities(tx, [batch.deals[one] for one in sorted(batch.changed_deals)])
    await read_model.save_agreements(tx, batch.agreements)
    await read_model.save_timeline(tx, batch.lines)
    await read_model.mark_activity(tx, batch.corrections)


def _changed(batch: _Batch) -> list[tuple[UUID | None, UUID | None]]:
    """What gets a number: each changed handoff with its person, then each other person with something new."""
    handoffs = [batch.handoffs[one] for one in sorted(batch.changed_handoffs)]
    told = {handoff.lead_id for handoff in handoffs}
    pairs: list[tuple[UUID | None, UUID | None]] = [(one.root_lead_id, one.handoff_id) for one in handoffs]
    return pairs + [(lead_id, None) for lead_id in batch.seen_leads if lead_id not in told]
