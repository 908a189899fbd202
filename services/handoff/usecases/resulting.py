"""What became of it, as feedback says: deals opened, won and lost, disputes ruled, connectors advanced.

All events of topic `outcomes` come here. Our own dispositions come back as outcomes of source `handoff` and are none.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.handoff.domain.lifecycle import State
from services.handoff.store import clocks, handoffs, leads, pools
from services.handoff.store.results import Result, keep_result
from services.handoff.usecases.overtaken import move_by_result
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Held, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.envelope import Event
from shared.contracts.outcomes import ConnectorAdvanced, DisputeRuled, OpportunityChanged, OutcomeRecorded
from shared.db.engine import Tx
from shared.ids import HandoffId, LeadId, UserId
from shared.telemetry import announce

__all__ = ["take_outcomes"]

_RESULTS = {"opportunity": "open", "won": "won", "lost": "lost"}
_MAY_HAVE_A_DEAL = frozenset({State.ASSIGNED, State.ACCEPTED, State.WORKING, State.OPPORTUNITY, State.WON, State.LOST})


async def take_outcomes(tx: Tx, received: Sequence[Event[Any]]) -> None:
    """What feedback says became of leads."""
    work = await begin_work(tx)
    await work.lock_people({event.payload.lead_id for event in received if not _is_connector(event)})
    roots = {lead.root_id for lead in work.leads.values()}
    ids = await handoffs.ids_of_people(tx, roots)
    ids += [HandoffId(each) for each in _handoff_ids(received)]
    await work.hold(ids)
    await announce("batch:after_locks")
    for event in received:
        await _take(work, event)
    work.to_write.received += received
    last = received[-1]
    await settle(work, cause=Cause(last.id, last.traceparent))
    await flush(work)


async def _take(work: Work, event: Event[Any]) -> None:
    payload, cause = event.payload, Cause(event.id, event.traceparent)
    match payload:
        case ConnectorAdvanced():
            await leads.advance_connector(work.tx, payload.connector_id, payload.watermark_at)
            await clocks.release_held(work.tx)
        case OpportunityChanged():
            await _result(work, _with_a_deal(work, LeadId(payload.lead_id)), _of_deal(payload), cause)
        case OutcomeRecorded():
            await _outcome(work, payload, cause)
        case DisputeRuled():
            await _dispute(work, payload)
        case _:
            raise AssertionError(f"take_outcomes does not handle {event.type}")


async def _outcome(work: Work, payload: OutcomeRecorded, cause: Cause) -> None:
    """An outcome without an object (API, CSV); those of a CRM's deal come as opportunity.changed, with its version."""
    if payload.source == "handoff" or payload.object is not None or payload.what not in _RESULTS or payload.is_conflict:
        return
    named = None if payload.handoff_id is None else work.held.get(HandoffId(payload.handoff_id))
    root_id = work.leads[LeadId(payload.lead_id)].root_id
    if named is not None and named.handoff.root_lead_id != root_id:
        named = None  # of somebody else: whoever reports knows the lead better than our ids
    held = named or _with_a_deal(work, LeadId(payload.lead_id))
    if held is None or held.handoff.state in _MAY_HAVE_A_DEAL:
        await _result(work, held, _of_outcome(payload), cause)


async def _result(work: Work, held: Held | None, result: Result, cause: Cause) -> None:
    """Move the handoff, or keep the result until there is one that has an owner."""
    if held is not None:
        move_by_result(work, held, result, cause)
    else:
        await keep_result(work.tx, result)


def _of_deal(payload: OpportunityChanged) -> Result:
    return Result(
        payload.opportunity_id,
        LeadId(payload.lead_id),
        payload.result,
        payload.object_version,
        payload.reason_code,
        payload.occurred_at,
    )


def _of_outcome(payload: OutcomeRecorded) -> Result:
    word = _RESULTS[payload.what]
    return Result(payload.outcome_id, LeadId(payload.lead_id), word, 0, payload.reason_code, payload.occurred_at)


def _with_a_deal(work: Work, lead_id: LeadId) -> Held | None:
    """The person's latest cycle that may have a deal: an open one before a closed one."""
    root_id = work.leads[lead_id].root_id
    found = [
        held
        for held in work.held.values()
        if held.handoff.root_lead_id == root_id and held.handoff.state in _MAY_HAVE_A_DEAL
    ]
    return max(found, key=lambda held: (held.times.closed_at is None, held.handoff.cycle), default=None)


async def _dispute(work: Work, payload: DisputeRuled) -> None:
    """A dispute that was upheld gives the lead back in the fairness ledger."""
    held = work.held.get(HandoffId(payload.handoff_id))
    if payload.is_credited and held is not None and held.handoff.pool is not None:
        await pools.credit_member(work.tx, held.handoff.pool, UserId(payload.rep_id))


def _handoff_ids(received: Sequence[Event[Any]]) -> set[UUID]:
    named = {getattr(event.payload, "handoff_id", None) for event in received}
    return {each for each in named if each is not None}


def _is_connector(event: Event[Any]) -> bool:
    return isinstance(event.payload, ConnectorAdvanced)
