"""Mirrors what ingest says of leads: attributes, accounts, consent, erasure; merges and splits move to `identity`.

All events of topic `leads` come here, a batch in one call and in log order.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.handoff.domain.lifecycle import State, inputs
from services.handoff.domain.lifecycle.states import OPEN
from services.handoff.domain.mirror import consented, erased, identified, linked
from services.handoff.store import dispatches, handoffs
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.identity import take_merge, take_split
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.envelope import Event
from shared.contracts.leads import (
    LeadConsentChanged,
    LeadErased,
    LeadIdentified,
    LeadLinked,
    LeadMerged,
    LeadSplit,
)
from shared.db.engine import Tx
from shared.ids import AccountId, LeadId
from shared.telemetry import announce

__all__ = ["take_leads"]

# What a withdrawal ends: open ones, and closed ones that would bring the person back; results stay as they were.
_ENDED_BY_WITHDRAWAL = OPEN | {State.NURTURE, State.LOST}
_ACCOUNT_FACTS = ("industry", "staff_band", "country", "domain", "is_target", "is_competitor", "is_customer")


async def take_leads(tx: Tx, received: Sequence[Event[Any]]) -> None:
    """What ingest says of leads."""
    work = await begin_work(tx)
    await work.lock_people(_named(received))
    is_moving = any(isinstance(event.payload, LeadMerged | LeadSplit) for event in received)
    scopes = await handoffs.accounts_of_merged(tx, work.leads) if is_moving else []
    await work.lock_accounts({*_accounts(received), *scopes})  # what opens in a scope, and what comes back to it: one
    if any(_concerns_handoffs(event) for event in received):  # most of a batch only says more of people
        roots = {lead.root_id for lead in work.leads.values()}
        if scopes:
            ids, _ = await handoffs.around(tx, roots, scopes, since=work.now)
        else:
            ids = await handoffs.ids_of_people(tx, roots)
        if is_moving:
            ids += await handoffs.ids_of_members(tx, [each.id for each in work.leads.values()])
        await work.hold(ids)
    await announce("batch:after_locks")
    for event in received:
        await _take(work, event)
    work.to_write.received += received
    last = received[-1]
    await settle(work, cause=Cause(last.id, last.traceparent))
    await flush(work)


def _concerns_handoffs(event: Event[Any]) -> bool:
    match event.payload:
        case LeadConsentChanged():
            return not event.payload.is_allowed
        case LeadIdentified() | LeadLinked():
            return False
        case _:
            return True


async def _take(work: Work, event: Event[Any]) -> None:
    payload, cause = event.payload, Cause(event.id, event.traceparent)
    match payload:
        case LeadIdentified():
            work.change_lead(identified(work.leads[LeadId(payload.lead_id)], payload))
        case LeadLinked():
            work.change_lead(linked(work.leads[LeadId(payload.lead_id)], payload))
            _learn(work, payload)
        case LeadConsentChanged():
            await _consent(work, payload, cause)
        case LeadMerged():
            take_merge(work, payload, cause)
        case LeadSplit():
            take_split(work, payload, cause)
        case LeadErased():
            await _erase(work, payload, cause)
        case _:
            raise AssertionError(f"take_leads does not handle {event.type}")


async def _consent(work: Work, payload: LeadConsentChanged, cause: Cause) -> None:
    before = work.leads[LeadId(payload.lead_id)]
    after = consented(before, payload)
    work.change_lead(after)
    if before.has_consent and not after.has_consent:
        _withdraw(work, LeadId(payload.lead_id), "consent_withdrawn", cause)


async def _erase(work: Work, payload: LeadErased, cause: Cause) -> None:
    members = [LeadId(each) for each in dict.fromkeys([payload.lead_id, *payload.lead_ids])]
    for lead_id in members:
        _withdraw(work, lead_id, "erased", cause)
        work.change_lead(erased(work.leads[lead_id]))
    await handoffs.empty_notes(work.tx, members)
    await dispatches.end_dispatches_of_leads(work.tx, members)


def _withdraw(work: Work, lead_id: LeadId, reason: str, cause: Cause) -> None:
    """One member's withdrawal holds for the whole tree."""
    root_id = work.leads[lead_id].root_id
    for handoff_id in sorted(work.held):
        handoff = work.held[handoff_id].handoff
        if handoff.root_lead_id == root_id and handoff.state in _ENDED_BY_WITHDRAWAL and not handoff.is_superseded:
            apply(work, handoff_id, inputs.Withdraw(reason=reason), cause=cause)


def _learn(work: Work, payload: LeadLinked) -> None:
    """What the link says of the account; every person of an account brings the same, so the newest is as good."""
    account_id = AccountId(payload.account_id)
    named = {name: getattr(payload, name) for name in _ACCOUNT_FACTS}
    facts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in named.items()
        if value is not None
    }
    work.change_account(account_id, facts={**work.accounts[account_id]["facts"], **facts})


def _named(received: Sequence[Event[Any]]) -> set[UUID]:
    named: set[UUID] = set()
    for event in received:
        payload = event.payload
        named.add(payload.lead_id)
        match payload:
            case LeadMerged():
                named |= {payload.into_lead_id, payload.root_lead_id}
            case LeadSplit():
                named |= {payload.from_lead_id, payload.root_lead_id}
            case LeadErased():
                named |= set(payload.lead_ids)
            case _:
                pass
    return named


def _accounts(received: Sequence[Event[Any]]) -> set[UUID]:
    return {event.payload.account_id for event in received if isinstance(event.payload, LeadLinked)}
