"""Takes what scoring says: qualified leads and accounts ask for a handoff, demoted ones give theirs back.

All events of topic `scores` come here, a batch in one call and in log order; each carries a number or version, so that
repeats and late ones change nothing.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.lifecycle.states import REVOCABLE
from services.handoff.domain.mirror import Lead, scored
from services.handoff.store import handoffs, leads
from services.handoff.store.handoffs import Cycles
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.opening import Ask, motion_of, open_or_attach
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Held, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.envelope import Event
from shared.contracts.scores import AccountQualified, AccountScored, LeadDemoted, LeadQualified, LeadScored
from shared.db.engine import Tx
from shared.ids import AccountId, DecisionId, LeadId
from shared.telemetry import announce, count

__all__ = ["take_scores"]

# Above every score, so that who asked for us is always served first.
_HAND_RAISER_PRIORITY = 1000
_YEAR = timedelta(days=365)
_HAND_RAISER = "hand_raiser"
_DECISIONS = (LeadQualified, LeadDemoted, AccountQualified)


async def take_scores(tx: Tx, received: Sequence[Event[Any]]) -> None:
    """What scoring says of leads and accounts."""
    work = await begin_work(tx)
    await work.lock_people(_lead_ids(received))
    scopes = await _lock_accounts(work, received)
    roots = {work.leads[lead_id].root_id for lead_id in _deciding(received)}
    cycles: Cycles = {}
    if roots:  # most of a batch only moves numbers that are shown
        ids, cycles = await handoffs.around(tx, roots, scopes, since=work.now - _YEAR)
        await work.hold(ids)
    await announce("batch:after_locks")
    for event in received:
        await _take(work, event, cycles)
    work.to_write.received += received
    last = received[-1]
    await settle(work, cause=Cause(last.id, last.traceparent))
    await flush(work)


async def _take(work: Work, event: Event[Any], cycles: Cycles) -> None:
    payload = event.payload
    match payload:
        case LeadQualified():
            await _take_qualified(work, event, payload, cycles)
        case LeadDemoted():
            await _take_demoted(work, event, payload)
        case LeadScored():
            work.change_lead(scored(work.leads[LeadId(payload.lead_id)], payload))
        case AccountQualified():
            _score_account(work, payload)
            _take_account(work, event, payload, cycles)
        case AccountScored():
            _score_account(work, payload)
        case _:
            raise AssertionError(f"take_scores does not handle {event.type}")


async def _take_qualified(work: Work, event: Event[Any], payload: LeadQualified, cycles: Cycles) -> None:
    lead = scored(work.leads[LeadId(payload.lead_id)], payload)
    if payload.number <= lead.qualified_number:
        count("baton_ignored_versions_total")
        return
    is_hand_raiser = _HAND_RAISER in {payload.policy, payload.tier}
    facts = {each.name: each.value for each in payload.facts} | {
        "entry_channel": payload.entry_channel,
        "product": payload.product,
        "policy": payload.policy,
        "is_hand_raiser": str(is_hand_raiser).lower(),
    }
    lead = replace(lead, qualified_number=payload.number, facts={**lead.facts, **facts})
    work.change_lead(lead)
    ask = Ask(
        lead=lead,
        account_id=lead.account_id or (None if payload.account_id is None else AccountId(payload.account_id)),
        product=payload.product,
        policy=payload.policy,
        decision_id=DecisionId(payload.decision_id),
        priority=payload.score + (_HAND_RAISER_PRIORITY if is_hand_raiser else 0),
        facts=facts,
        propensity=payload.propensity,
        is_below_floor=payload.is_below_floor,
        qualified_at=payload.crossed_at,
        evidence={
            "score": payload.score,
            "fit": payload.fit,
            "engagement": payload.engagement,
            "reasons": [{"line": each.line, "points": each.points} for each in payload.reasons],
            "facts": [each.model_dump(mode="json") for each in payload.facts],
            "activities": list(payload.evidence),
        },
    )
    cause = Cause(event.id, event.traceparent)
    held = open_or_attach(work, ask, cycles, cause=cause, correlation_id=event.correlation_id)
    # The demotion of this very qualification overtook it: the history is the same, only shorter.
    if held is not None and lead.demoted_number >= payload.number:
        await _take_back(work, held, lead, cause)


async def _take_demoted(work: Work, event: Event[Any], payload: LeadDemoted) -> None:
    lead = scored(work.leads[LeadId(payload.lead_id)], payload)
    if payload.number <= lead.demoted_number:
        count("baton_ignored_versions_total")
        return
    work.change_lead(replace(lead, demoted_number=payload.number))
    if payload.number < lead.qualified_number:
        return  # it qualified again meanwhile
    held = work.open_of(lead.root_id, lead.account_id or lead.root_id, motion_of(work, payload.product))
    if held is not None:
        await _take_back(work, held, lead, Cause(event.id, event.traceparent))


async def _take_back(work: Work, held: Held, lead: Lead, cause: Cause) -> None:
    """This person was demoted: take a handoff of theirs back, unless somebody else behind it still qualifies."""
    if held.handoff.state not in REVOCABLE:
        return
    behind = await leads.behind_handoff(work.tx, held.handoff.id)
    behind |= {LeadId(row["lead_id"]) for row in work.to_write.evidence if row["handoff_id"] == held.handoff.id}
    await work.read_people(behind)
    people = [work.leads[each] for each in behind if each in work.leads]
    is_theirs = held.handoff.root_lead_id == lead.root_id or any(each.root_id == lead.root_id for each in people)
    others = (each for each in people if each.root_id != lead.root_id)
    if is_theirs and not any(each.qualified_number > each.demoted_number for each in others):
        apply(work, held.handoff.id, inputs.Revoke(reason="demoted"), cause=cause)


def _take_account(work: Work, event: Event[Any], payload: AccountQualified, cycles: Cycles) -> None:
    account_id = AccountId(payload.account_id)
    if payload.number <= work.accounts[account_id]["qualified_number"]:
        count("baton_ignored_versions_total")
        return
    work.change_account(account_id, qualified_number=payload.number)
    lead = work.leads[LeadId(payload.lead_id)]
    ask = Ask(
        lead=lead,
        account_id=account_id,
        product=payload.product,
        policy="qualified",
        decision_id=DecisionId(payload.decision_id),
        priority=payload.score,
        facts={"is_hand_raiser": "false", "product": payload.product},
        tier="scored",
        qualified_at=event.occurred_at,
        evidence={"score": payload.score, "fit": payload.fit, "engagement": payload.engagement},
    )
    cause = Cause(event.id, event.traceparent)
    open_or_attach(work, ask, cycles, cause=cause, correlation_id=event.correlation_id)


def _lead_ids(received: Sequence[Event[Any]]) -> set[UUID]:
    return {event.payload.lead_id for event in received if not _is_account_score(event)}


def _deciding(received: Sequence[Event[Any]]) -> set[LeadId]:
    """The people of whom something is decided, not only shown."""
    decisions = (event.payload for event in received if isinstance(event.payload, _DECISIONS))
    return {LeadId(payload.lead_id) for payload in decisions}


def _is_account_score(event: Event[Any]) -> bool:
    return isinstance(event.payload, AccountScored) and not isinstance(event.payload, AccountQualified)


async def _lock_accounts(work: Work, received: Sequence[Event[Any]]) -> set[UUID]:
    """Lock the accounts that are scored, and those in whose scope something may open or be taken back; the latter.

    Two people at once must not both open one, nor each leave one open for the other.
    """
    scopes: set[UUID | None] = set()
    for event in received:
        if isinstance(event.payload, LeadQualified | LeadDemoted):
            scopes |= {work.leads[LeadId(event.payload.lead_id)].account_id, event.payload.account_id}
        elif isinstance(event.payload, AccountQualified):
            scopes.add(event.payload.account_id)
    named = {event.payload.account_id for event in received if isinstance(event.payload, AccountScored)}
    found = {each for each in scopes if each is not None}
    await work.lock_accounts(named | found)
    return found


def _score_account(work: Work, payload: AccountScored) -> None:
    account_id = AccountId(payload.account_id)
    account = work.accounts[account_id]
    if payload.score_version <= account["score_version"]:
        count("baton_ignored_versions_total")
        return
    facts = {
        **account["facts"],
        "account_score": str(payload.score),
        "account_is_qualified": str(payload.is_qualified).lower(),
    }
    work.change_account(account_id, score_version=payload.score_version, facts=facts)
