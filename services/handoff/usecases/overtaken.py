"""Moves a handoff by what became of its deal, whether that comes after it got an owner or before.

A result that finds no handoff with an owner is kept, and looked at again when its lead gets one: topics overtake each
other. Of what was kept counts only what happened since the lead qualified; older deals are another story.
"""

from typing import Literal, cast

from services.handoff.domain.lifecycle import State, inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import results
from services.handoff.store.results import Result
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.work import Cause, Held, Work

__all__ = ["claim_kept_results", "move_by_result"]

CrmWord = Literal["open", "won", "lost"]
_CRM = Actor(ActorKind.CRM)


def move_by_result(work: Work, held: Held, result: Result, cause: Cause) -> None:
    """A deal on a handoff that is still worked is its disposition; what the CRM says then moves it on."""
    if result.result not in {"open", "won", "lost"}:
        return
    if held.handoff.state in {State.ASSIGNED, State.ACCEPTED, State.WORKING}:
        deal = inputs.Dispose(by=None, how="opportunity", actor=_CRM)
        apply(work, held.handoff.id, deal, cause=cause)
    word, version = cast("CrmWord", result.result), result.version or held.handoff.crm_version + 1
    event = inputs.CrmResult(result=word, version=version, reason_code=result.reason_code, actor=_CRM)
    apply(work, held.handoff.id, event, cause=cause)


async def claim_kept_results(work: Work, owned: list[Held], *, cause: Cause) -> None:
    """Handoffs that have an owner now: take what became of them already."""
    by_root = {held.handoff.root_lead_id: held for held in owned}
    if not by_root:
        return
    claimed = []
    members = work.members_of(by_root)
    for stored, result in await results.unclaimed_results(work.tx, members, roots=by_root):
        held = by_root.get(work.root_of(result.lead_id, stored=stored))
        if held is not None and result.occurred_at >= held.times.qualified_at:
            move_by_result(work, held, result, cause)
            claimed.append(result.id)
    await results.claim_results(work.tx, claimed)
