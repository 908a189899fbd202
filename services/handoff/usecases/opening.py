"""Gives a qualification a handoff: opens a cycle, or joins the open one of its scope, as routing decides and records.

Whoever asks (scoring for a lead or an account, a person by hand) asks here, with leads, accounts, handoffs locked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import Verdict, inputs
from services.handoff.domain.mirror import Lead, view_of
from services.handoff.domain.record import Times
from services.handoff.domain.routing import route
from services.handoff.domain.things import SYSTEM, Actor, LeadView, Need, OpenHandoff, QueueName
from services.handoff.store.handoffs import Cycles
from services.handoff.usecases.deciding import apply, open_cycle
from services.handoff.usecases.routing import routing_input
from services.handoff.usecases.work import Cause, Held, Work
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, derived_id

__all__ = ["Ask", "motion_of", "open_or_attach"]


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


def open_or_attach(
    work: Work, ask: Ask, cycles: Cycles, *, cause: Cause, correlation_id: UUID, actor: Actor = SYSTEM
) -> Held | None:
    """Open a cycle for the lead, or attach to the open one of its scope; None when the machine refused."""
    lead = ask.lead
    motion = motion_of(work, ask.product)
    scope_id: LeadId | AccountId = lead.root_id
    if ask.account_id is not None and work.terms.document.routing.handoff_scope == "account":
        scope_id = ask.account_id
    held = work.open_of(lead.root_id, scope_id, motion)
    if held is not None:
        held = _join(work, ask, motion, held, cycles, cause=cause, actor=actor)
    else:
        held = _open(work, ask, motion, scope_id, cycles, cause=cause, correlation_id=correlation_id, actor=actor)
    if held is not None:
        work.to_write.evidence.append(_evidence(work, held.handoff.id, ask))
    return held


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
    cycle, recent, handoff_id = _next_cycle(ask, motion, cycles)
    seen = _seen(work, ask)
    opening = inputs.Opening(
        id=handoff_id,
        lead_id=lead.id,
        root_lead_id=lead.root_id,
        account_id=ask.account_id,
        scope_id=scope_id,
        motion=motion,
        product=ask.product,
        tier=_tier(work, ask, seen),
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
        has_consent=seen.has_consent and not seen.is_suppressed,
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


def _join(work: Work, ask: Ask, motion: str, held: Held, cycles: Cycles, *, cause: Cause, actor: Actor) -> Held | None:
    """Give it to the open handoff, as routing decides: nobody who may not be contacted joins one."""
    handoff, seen = held.handoff, _seen(work, ask)
    need = Need(
        decision_id=DecisionId(derived_id("routing decision", handoff.id, ask.decision_id)),
        handoff_id=_next_cycle(ask, motion, cycles)[2],
        lead=seen,
        product=ask.product,
        tier=_tier(work, ask, seen),
        priority=ask.priority,
        waiting_since=work.now,
        is_hand_raiser=ask.is_hand_raiser,
        policy=ask.policy,
        propensity=ask.propensity,
        open_handoff=OpenHandoff(id=handoff.id, owner_id=handoff.owner_id, state=handoff.state.value),
    )
    result = route(routing_input(work, [need])).results[0]
    work.to_write.decisions.append(result)
    if result.attach_to is None:
        return None
    attached = inputs.Attach(decision_id=ask.decision_id, priority=ask.priority, actor=actor)
    apply(work, handoff.id, attached, cause=cause, attached_lead_id=ask.lead.id)
    return held


def _next_cycle(ask: Ask, motion: str, cycles: Cycles) -> tuple[int, int, HandoffId]:
    """The number of the person's next cycle, how many it had this year, and the id that its handoff has or would."""
    highest, recent = cycles.get((ask.lead.root_id, motion), (0, 0))
    return highest + 1, recent, HandoffId(derived_id("handoff", ask.lead.id, motion, highest + 1))


def _seen(work: Work, ask: Ask) -> LeadView:
    account_facts = work.facts_of_account(ask.account_id)
    tree = work.tree_of(ask.lead.id)  # what one member withdrew holds for the person
    return replace(
        view_of(ask.lead, account_facts=account_facts, more=ask.facts),
        has_consent=all(each.has_consent for each in tree),
        is_suppressed=any(each.is_suppressed for each in tree),
        is_erased=any(each.is_erased for each in tree),
    )


def _tier(work: Work, ask: Ask, seen: LeadView) -> str:
    return "list" if ask.is_below_floor else ask.tier or work.terms.tier_of(seen.facts).name


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


def motion_of(work: Work, product: str) -> str:
    """The motion a product is sold in."""
    named = {each.name: each.motion for each in work.terms.document.products}
    return named.get(product, "new_business")
