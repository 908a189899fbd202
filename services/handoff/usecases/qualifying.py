"""Opens cycles for qualified leads and accounts, attaches further evidence, and takes back what was demoted.

All events of topic `scores` come here, a batch in one call and in log order; each carries a number or version, so that
repeats and late ones change nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.handoff.domain.lifecycle import Verdict, inputs
from services.handoff.domain.lifecycle.states import REVOCABLE
from services.handoff.domain.mirror import Lead, scored, view_of
from services.handoff.domain.record import Times
from services.handoff.domain.things import SYSTEM, Actor, QueueName
from services.handoff.store import handoffs, leads
from services.handoff.usecases.deciding import apply, open_cycle
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Held, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.envelope import Event
from shared.contracts.scores import AccountQualified, AccountScored, LeadDemoted, LeadQualified, LeadScored
from shared.db.engine import Tx
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, derived_id
from shared.telemetry import announce, count

__all__ = ["Ask", "open_or_attach", "take_scores"]

# Above every score, so that who asked for us is always served first.
_HAND_RAISER_PRIORITY = 1000
_YEAR = timedelta(days=365)
_HAND_RAISER = "hand_raiser"
_DECISIONS = (LeadQualified, LeadDemoted, AccountQualified)


async def take_scores(tx: Tx, received: Sequence[Event[Any]]) -> None:
    """What scoring says of leads and accounts."""
    work = await begin_work(tx)
    await work.lock_people(_lead_ids(received))
    accounts = await _lock_accounts(work, received)
    roots = {work.leads[lead_id].root_id for lead_id in _deciding(received)}
    cycles: Cycles = {}
    if roots:  # most of a batch only moves numbers that are shown
        ids = await handoffs.ids_of_people(tx, roots)
        await work.hold([*ids, *await handoffs.ids_of_scopes(tx, accounts)])
        cycles = await handoffs.cycles_of(tx, roots, since=work.now - _YEAR)
    await announce("batch:after_locks")
    for event in received:
        _take(work, event, accounts, cycles)
    work.to_write.received += received
    last = received[-1]
    await settle(work, cause=Cause(last.id, last.traceparent))
    await leads.save_account(tx, [accounts[account_id] for account_id in sorted(accounts)])
    await flush(work)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One qualification as it is taken, whoever asks: scoring for a lead or an account, or a person by hand.

    tier: given only where the facts do not decide it. evidence: columns of the evidence row.
    """

    lead: Lead
    account_id: AccountId | None
    product: str
    policy: str
    decision_id: DecisionId
    priority: int
    facts: Mapping[str, str]
    tier: str | None = None
    propensity: float = 1.0
    is_below_floor: bool = False
    qualified_at: datetime | None = None  # when it happened in the world; now when a person asks
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_hand_raiser(self) -> bool:
        """Whether the person asked for a conversation."""
        return self.facts.get("is_hand_raiser") == "true"


Cycles = dict[tuple[LeadId, str], tuple[int, int]]


def open_or_attach(
    work: Work, ask: Ask, cycles: Cycles, *, cause: Cause, correlation_id: UUID, actor: Actor = SYSTEM
) -> Held | None:
    """Open a cycle for the lead, or attach to the open one of its scope; None when the machine refused."""
    lead = ask.lead
    motion = _motion(work, ask.product)
    scope_id: LeadId | AccountId = lead.root_id
    if ask.account_id is not None and work.terms.document.routing.handoff_scope == "account":
        scope_id = ask.account_id
    held = work.open_of(lead.root_id, scope_id, motion)
    if held is not None:
        attached = inputs.Attach(decision_id=ask.decision_id, priority=ask.priority, actor=actor)
        apply(work, held.handoff.id, attached, cause=cause, attached_lead_id=lead.id)
    else:
        held = _open(work, ask, motion, scope_id, cycles, cause=cause, correlation_id=correlation_id, actor=actor)
    if held is not None:
        work.to_write.evidence.append(_evidence(work, held.handoff.id, ask))
    return held


def _take(work: Work, event: Event[Any], accounts: dict[AccountId, dict[str, Any]], cycles: Cycles) -> None:
    payload = event.payload
    match payload:
        case LeadQualified():
            _take_qualified(work, event, payload, cycles)
        case LeadDemoted():
            _take_demoted(work, event, payload)
        case LeadScored():
            work.change_lead(scored(work.leads[LeadId(payload.lead_id)], payload))
        case AccountQualified():
            _score_account(accounts[AccountId(payload.account_id)], payload)
            _take_account(work, event, payload, accounts[AccountId(payload.account_id)], cycles)
        case AccountScored():
            _score_account(accounts[AccountId(payload.account_id)], payload)
        case _:
            raise AssertionError(f"take_scores does not handle {event.type}")


def _take_qualified(work: Work, event: Event[Any], payload: LeadQualified, cycles: Cycles) -> None:
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
    if held is not None and lead.demoted_number >= payload.number and held.handoff.state in REVOCABLE:
        apply(work, held.handoff.id, inputs.Revoke(reason="demoted"), cause=cause)


def _take_demoted(work: Work, event: Event[Any], payload: LeadDemoted) -> None:
    lead = scored(work.leads[LeadId(payload.lead_id)], payload)
    if payload.number <= lead.demoted_number:
        count("baton_ignored_versions_total")
        return
    work.change_lead(replace(lead, demoted_number=payload.number))
    if payload.number < lead.qualified_number:
        return  # it qualified again meanwhile
    held = work.open_of(lead.root_id, lead.root_id, _motion(work, payload.product))
    if held is not None and held.handoff.root_lead_id == lead.root_id and held.handoff.state in REVOCABLE:
        apply(work, held.handoff.id, inputs.Revoke(reason="demoted"), cause=Cause(event.id, event.traceparent))


def _take_account(
    work: Work, event: Event[Any], payload: AccountQualified, account: dict[str, Any], cycles: Cycles
) -> None:
    if payload.number <= account["qualified_number"]:
        count("baton_ignored_versions_total")
        return
    account["qualified_number"] = payload.number
    lead = work.leads[LeadId(payload.lead_id)]
    ask = Ask(
        lead=lead,
        account_id=AccountId(payload.account_id),
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


def _open(
    work: Work,
    ask: Ask,
    motion: str,
    scope_id: LeadId | AccountId,
    cycles: Cycles,
    *,
    cause: Cause,
    correlation_id: UUID,
    actor: Actor,
) -> Held | None:
    lead = ask.lead
    latest = work.latest_of(lead.root_id, motion)
    highest, recent = cycles.get((lead.root_id, motion), (0, 0))
    cycle = highest + 1
    tree = work.tree_of(lead.id)
    account_facts = work.account_facts.get(ask.account_id, {}) if ask.account_id is not None else {}
    seen = view_of(lead, account_facts=account_facts, more=ask.facts)
    opening = inputs.Opening(
        id=HandoffId(derived_id("handoff", lead.id, motion, cycle)),
        lead_id=lead.id,
        root_lead_id=lead.root_id,
        account_id=ask.account_id,
        scope_id=scope_id,
        motion=motion,
        product=ask.product,
        tier="list" if ask.is_below_floor else ask.tier or work.terms.tier_of(seen.facts).name,
        policy=ask.policy,
        cycle=cycle,
        decision_id=ask.decision_id,
        priority=ask.priority,
        propensity=ask.propensity,
        is_hand_raiser=ask.is_hand_raiser,
    )
    event = inputs.Qualify(
        opening=opening,
        cycles_this_year=recent,
        has_consent=all(each.has_consent and not each.is_suppressed for each in tree),
        actor=actor,
    )
    times = Times(
        agreement_id=work.terms.agreement_id,
        agreement_version=work.terms.version,
        qualified_at=min(ask.qualified_at or work.now, work.now),
        opened_at=work.now,
        state_at=work.now,
        waiting_since=work.now,
        correlation_id=correlation_id,
    )
    before = None if latest is None else latest.handoff
    if open_cycle(work, before, event, times, cause=cause).verdict is not Verdict.OK:
        return None
    cycles[lead.root_id, motion] = (cycle, recent + 1)
    if latest is not None:
        apply(work, latest.handoff.id, inputs.Supersede(), cause=cause)
    held = work.held[opening.id]
    if ask.is_below_floor:
        waiting = inputs.NoRoute(queue=QueueName.MANUAL_REVIEW.value, reason=QueueName.MANUAL_REVIEW.value)
        apply(work, opening.id, waiting, cause=cause)
    return held


def _evidence(work: Work, handoff_id: HandoffId, ask: Ask) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "score": None,
        "fit": None,
        "engagement": None,
        "reasons": [],
        "facts": [],
        "activities": [],
    }
    keys = {"handoff_id": handoff_id, "decision_id": ask.decision_id, "lead_id": ask.lead.id}
    return {**blank, **ask.evidence, **keys, "attached_at": work.now}


def _motion(work: Work, product: str) -> str:
    named = {each.name: each.motion for each in work.terms.document.products}
    return named.get(product, "new_business")


def _lead_ids(received: Sequence[Event[Any]]) -> set[UUID]:
    return {event.payload.lead_id for event in received if not _is_account_score(event)}


def _deciding(received: Sequence[Event[Any]]) -> set[LeadId]:
    """The people of whom something is decided, not only shown."""
    decisions = (event.payload for event in received if isinstance(event.payload, _DECISIONS))
    return {LeadId(payload.lead_id) for payload in decisions}


def _has_account(event: Event[Any]) -> bool:
    return isinstance(event.payload, AccountScored)


def _is_account_score(event: Event[Any]) -> bool:
    return isinstance(event.payload, AccountScored) and not isinstance(event.payload, AccountQualified)


async def _lock_accounts(work: Work, received: Sequence[Event[Any]]) -> dict[AccountId, dict[str, Any]]:
    """Lock the accounts that are scored or in whose scope something may open: two people at once must not both."""
    named: set[UUID | None] = {event.payload.account_id for event in received if _has_account(event)}
    for event in received:
        if isinstance(event.payload, LeadQualified):
            named |= {work.leads[LeadId(event.payload.lead_id)].account_id, event.payload.account_id}
    return await leads.lock_accounts(work.tx, {each for each in named if each is not None})


def _score_account(account: dict[str, Any], payload: AccountScored) -> None:
    if payload.score_version <= account["score_version"]:
        count("baton_ignored_versions_total")
        return
    account["score_version"] = payload.score_version
    account["facts"] = {
        **account["facts"],
        "account_score": str(payload.score),
        "account_is_qualified": str(payload.is_qualified).lower(),
    }
