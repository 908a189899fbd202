"""Takes activities of Sales as touches: the first one stops the clock, a late one may take a breach back.

Everything else on topic `activities` is none of ours: marketing activities change nothing here.
"""

from collections.abc import Sequence

from services.handoff.domain.evidence import is_touch, served_by
from services.handoff.domain.lifecycle import Verdict, inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import handoffs
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Held, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event
from shared.db.engine import Tx
from shared.ids import LeadId, UserId
from shared.telemetry import announce, observe

__all__ = ["are_same_side", "note_touch", "take_activities"]


async def take_activities(tx: Tx, received: Sequence[Event[ActivityRecorded]]) -> None:
    """Touches among what was done; the others are read over."""
    touches = [event for event in received if is_touch(event.payload)]
    if not touches:
        return
    work = await begin_work(tx)
    await work.lock_people(event.payload.lead_id for event in touches)
    scopes = {lead.account_id for lead in work.leads.values() if lead.account_id is not None}
    ids = await handoffs.ids_of_people(tx, {lead.root_id for lead in work.leads.values()})
    await work.hold([*ids, *await handoffs.ids_of_scopes(tx, scopes)])
    await work.know_reps(UserId(event.payload.actor_user_id) for event in touches if event.payload.actor_user_id)
    await announce("batch:after_locks")
    for event in touches:
        _take(work, event)
    last = touches[-1]
    await settle(work, cause=Cause(last.id, last.traceparent))
    await flush(work)


def are_same_side(work: Work, one: UserId, other: UserId) -> bool:
    """Whether two users are the same or of the same team of Sales."""
    if one == other:
        return True
    first, second = work.crew.reps.get(one), work.crew.reps.get(other)
    return first is not None and second is not None and first.team_id is not None and first.team_id == second.team_id


def note_touch(
    work: Work, held: Held, *, kind: str, activity_id: object, event: inputs.Touch | inputs.LateEvidence
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


def _take(work: Work, event: Event[ActivityRecorded]) -> None:
    payload = event.payload
    lead = work.leads[LeadId(payload.lead_id)]
    assert payload.actor_user_id is not None, "is_touch asks for an actor"
    actor_id = UserId(payload.actor_user_id)
    own = [held for _, held in sorted(work.held.items()) if held.handoff.root_lead_id == lead.root_id]
    shared_scope = [held for _, held in sorted(work.held.items()) if held.handoff.scope_id == lead.account_id]
    for held in (*own, *(each for each in shared_scope if each not in own)):
        served = served_by(
            held.handoff,
            held.times,
            held.clocks,
            touched_at=payload.occurred_at,
            actor_id=actor_id,
            is_same_side=lambda one, other: are_same_side(work, one, other),
            actor=Actor(ActorKind.REP, actor_id),
        )
        if served is None:
            continue
        cause = Cause(event.id, event.traceparent)
        decision = apply(work, held.handoff.id, served, cause=cause, activity_id=payload.activity_id)
        if decision.verdict is Verdict.OK:
            note_touch(work, held, kind=str(payload.kind), activity_id=payload.activity_id, event=served)
            return
