"""Moves a handoff by what became of its deal, whether that comes after it got an owner or before.

A result that finds no handoff with an owner is kept, and looked at again when its lead gets one: topics overtake each
other. Of what was kept counts only what happened since the lead qualified; older deals are another story.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, cast
from uuid import UUID

from services.handoff.domain.lifecycle import State, inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import deals, results
from services.handoff.store.results import Result
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.work import Cause, Held, Work
from shared.ids import HandoffId, LeadId

__all__ = ["claim_kept_results", "is_of_this_cycle", "move_by_result", "take_away"]

CrmWord = Literal["open", "won", "lost"]
_CRM = Actor(ActorKind.CRM)
# A CRM often knows only the day of a result, which begins before the lead qualified on it.
_SAME_DAY = timedelta(days=1)


def is_of_this_cycle(held: Held, result: Result) -> bool:
    """Whether a result happened since the lead qualified; an older deal is another story."""
    return result.occurred_at >= held.times.qualified_at - _SAME_DAY


def move_by_result(work: Work, held: Held, result: Result, cause: Cause) -> None:
    """A deal on a handoff that is still worked is its disposition; what the CRM says then moves it on."""
    if result.result not in {"open", "won", "lost"}:
        return
    if held.handoff.state in {State.ASSIGNED, State.ACCEPTED, State.WORKING}:
        deal = inputs.Dispose(by=None, how="opportunity", actor=_CRM)
        apply(work, held.handoff.id, deal, cause=cause, at=result.occurred_at)
    version = result.version or 1 + max((deal.version for deal in held.handoff.deals if deal.id is None), default=0)
    event = inputs.CrmResult(
        result=cast("CrmWord", result.result),
        version=version,
        deal_id=result.deal_id,
        reason_code=result.reason_code,
        actor=_CRM,
    )
    apply(work, held.handoff.id, event, cause=cause)


def take_away(work: Work, held: Held, result: Result, cause: Cause) -> None:
    """The deal is told of another lead now: this handoff counts it no more."""
    event = inputs.CrmResult(result="moved", version=result.version, deal_id=result.deal_id, actor=_CRM)
    apply(work, held.handoff.id, event, cause=cause)


async def claim_kept_results(
    work: Work, takers: list[Held], kept: Sequence[tuple[LeadId, Result]], *, cause: Cause
) -> None:
    """Handoffs that have or had an owner: take what became of them already. kept: each with its person as stored."""
    by_root = {held.handoff.root_lead_id: held for held in takers}
    claimed: dict[UUID, HandoffId] = {}
    for stored, result in kept:
        held = by_root.get(work.root_of(result.lead_id, stored=stored))
        if held is not None and is_of_this_cycle(held, result):
            move_by_result(work, held, result, cause)
            claimed[result.id] = held.handoff.id
    await results.claim_results(work.tx, list(claimed))
    await deals.count_deals_for(work.tx, claimed)
