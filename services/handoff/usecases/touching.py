"""Takes activities of Sales as touches: the first one stops the clock, a late one may take a breach back.

Everything else on topic `activities` is none of ours: marketing activities change nothing here.
"""

from collections.abc import Sequence

from services.handoff.domain.evidence import is_touch
from services.handoff.store import handoffs, tries
from services.handoff.store.tries import Try
from services.handoff.usecases.evidencing import in_reach, serve
from services.handoff.usecases.postponing import forgive_outages
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event
from shared.db.engine import Tx
from shared.ids import ActivityId, LeadId, UserId
from shared.telemetry import announce

__all__ = ["take_activities"]


async def take_activities(tx: Tx, received: Sequence[Event[ActivityRecorded]]) -> None:
    """Touches among what was done; the others are read over."""
    touches = [event for event in received if is_touch(event.payload)]
    if not touches:
        return
    work = await begin_work(tx)
    await work.lock_people(event.payload.lead_id for event in touches)
    scopes = {lead.account_id for lead in work.leads.values() if lead.account_id is not None}
    await work.lock_accounts(scopes)  # a handoff of the account that opens now must see what is kept here
    roots = {lead.root_id for lead in work.leads.values()}
    await work.hold((await handoffs.around(tx, roots, scopes, since=work.now))[0])
    await work.know_reps(UserId(event.payload.actor_user_id) for event in touches if event.payload.actor_user_id)
    await forgive_outages(work)
    await announce("batch:after_locks")
    await tries.keep_tries(tx, [_row(event.payload) for event in touches if not _take(work, event)])
    last = touches[-1]
    await settle(work, cause=Cause(last.id, last.traceparent))
    await flush(work)


def _take(work: Work, event: Event[ActivityRecorded]) -> bool:
    """Whether a handoff of the person, else of its account, counts it."""
    payload = event.payload
    lead = work.leads[LeadId(payload.lead_id)]
    assert payload.actor_user_id is not None, "is_touch asks for an actor"
    tried = Try(
        id=ActivityId(payload.activity_id),
        lead_id=lead.id,
        root_id=lead.root_id,
        account_id=lead.account_id,
        actor_id=UserId(payload.actor_user_id),
        kind=str(payload.kind),
        occurred_at=payload.occurred_at,
    )
    cause = Cause(event.id, event.traceparent)
    found = in_reach(work.held.values(), lead.root_id, lead.account_id)
    return any(serve(work, held, tried, cause=cause) for held in found)


def _row(payload: ActivityRecorded) -> dict[str, object]:
    return {
        "id": payload.activity_id,
        "lead_id": payload.lead_id,
        "actor_id": payload.actor_user_id,
        "kind": payload.kind,
        "occurred_at": payload.occurred_at,
        "recorded_at": payload.recorded_at,
    }
