"""Counts tries of Sales as touches, whether they come before or after what they are about.

A try that serves no promise yet is kept, and looked at again when its lead gets an owner: topics overtake each other.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from services.handoff.domain.evidence import served_by
from services.handoff.domain.lifecycle import Verdict, inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import tries
from services.handoff.store.tries import Try
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.work import Cause, Held, Work
from shared.ids import AccountId, LeadId, UserId
from shared.telemetry import observe

__all__ = ["are_same_side", "claim_kept", "in_reach", "note_touch", "serve"]


def are_same_side(work: Work, one: UserId, other: UserId) -> bool:
    """Whether two users are the same or of the same team of Sales."""
    if one == other:
        return True
    first, second = work.crew.reps.get(one), work.crew.reps.get(other)
    return first is not None and second is not None and first.team_id is not None and first.team_id == second.team_id


def serve(work: Work, held: Held, tried: Try, *, cause: Cause) -> bool:
    """Let one handoff count a try; False when it serves no promise of it."""
    served = served_by(
        held.handoff,
        held.times,
        held.clocks,
        touched_at=tried.occurred_at,
        actor_id=tried.actor_id,
        is_same_side=lambda one, other: are_same_side(work, one, other),
        actor=Actor(ActorKind.REP, tried.actor_id),
    )
    if served is None:
        return False
    decision = apply(work, held.handoff.id, served, cause=cause, activity_id=tried.id)
    if decision.verdict is not Verdict.OK:
        return False
    note_touch(work, held, kind=tried.kind, activity_id=tried.id, event=served)
    return True


def in_reach(handoffs: Iterable[Held], root_id: LeadId, account_id: AccountId | None) -> list[Held]:
    """The handoffs that a try may serve: the person's own first, then those of its account."""
    found = sorted(handoffs, key=lambda held: held.handoff.id)
    own = [held for held in found if held.handoff.root_lead_id == root_id]
    return own + [held for held in found if held.handoff.scope_id == account_id and held not in own]


async def claim_kept(work: Work, takers: list[Held], kept: Sequence[Try], *, cause: Cause) -> None:
    """Handoffs that have or had an owner: count what Sales had tried already, of the person and of its account."""
    await work.know_reps(each.actor_id for each in kept)
    claimed = []
    for each in kept:
        found = in_reach(takers, work.root_of(each.lead_id, stored=each.root_id), each.account_id)
        if any(serve(work, held, each, cause=cause) for held in found):
            claimed.append(each.id)
    await tries.claim_tries(work.tx, claimed)


def note_touch(
    work: Work, held: Held, *, kind: str, activity_id: UUID, event: inputs.Touch | inputs.LateEvidence
) -> None:
    """Keep a touch that counted, and measure the first one's speed."""
    touched_at = event.touched_at or work.now
    work.to_write.touches.append(
        {
            "id": activity_id,
            "handoff_id": held.handoff.id,
            "actor_id": event.actor.id,
            "kind": kind,
            "occurred_at": touched_at,
            "recorded_at": work.now,
            "is_late_evidence": isinstance(event, inputs.LateEvidence),
        }
    )
    if held.times.touched_at == touched_at:
        observe("baton_speed_to_lead_seconds", max(0.0, (touched_at - held.times.qualified_at).total_seconds()))
