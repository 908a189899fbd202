"""What became of it, as feedback says: deals opened, won and lost, disputes ruled, connectors advanced.

All events of topic `outcomes` come here. Our own dispositions come back as outcomes of source `handoff` and are none.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from services.handoff.domain.lifecycle.states import MAY_HAVE_A_DEAL
from services.handoff.store import clocks, deals, handoffs, leads
from services.handoff.store.deals import DealRow
from services.handoff.store.results import Result, claim_results, keep_result
from services.handoff.usecases.overtaken import is_of_this_cycle, move_by_result, take_away
from services.handoff.usecases.postponing import forgive_outages
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Held, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.envelope import Event
from shared.contracts.outcomes import ConnectorAdvanced, DisputeRuled, OpportunityChanged, OutcomeRecorded
from shared.db.engine import Tx
from shared.errors import Busy
from shared.ids import HandoffId, LeadId, UserId
from shared.telemetry import announce, count

__all__ = ["take_outcomes"]

_RESULTS = {"opportunity": "open", "won": "won", "lost": "lost"}


async def take_outcomes(tx: Tx, received: Sequence[Event[Any]]) -> None:
    """What feedback says became of leads."""
    told = {payload.opportunity_id: payload.lead_id for payload in _deals(received)}
    before = await deals.read_deals(tx, told)
    counting = [row.handoff_id for row in before if row.handoff_id is not None]
    work = await begin_work(tx)
    await work.lock_people(
        {event.payload.lead_id for event in received if not _is_connector(event)}
        | {row.lead_id for row in before}
        | set(await handoffs.leads_of(tx, counting))
    )
    roots = {lead.root_id for lead in work.leads.values()}
    ids = await handoffs.ids_of_people(tx, roots)
    ids += [HandoffId(each) for each in _handoff_ids(received)]
    await work.hold([*ids, *counting])
    await forgive_outages(work)
    rows = await deals.lock_deals(tx, told)
    _check_held(work, rows.values())
    await announce("batch:after_locks")
    for event in received:
        await _take(work, event, rows)
    work.to_write.received += received
    last = received[-1]
    await deals.save_deals(tx, rows.values(), now=work.now)
    await settle(work, cause=Cause(last.id, last.traceparent))
    await flush(work)


def _check_held(work: Work, rows: Iterable[DealRow]) -> None:
    """Somebody else was told of the same deal between our look and our lock: the batch runs again, with their locks."""
    for row in rows:
        is_counted_elsewhere = row.handoff_id is not None and row.handoff_id not in work.held
        if row.lead_id not in work.leads or is_counted_elsewhere:
            raise Busy("The deals of this batch are being told of other leads right now.")


async def _take(work: Work, event: Event[Any], rows: dict[UUID, DealRow]) -> None:
    payload, cause = event.payload, Cause(event.id, event.traceparent)
    match payload:
        case ConnectorAdvanced():
            await leads.advance_connector(work.tx, payload.connector_id, payload.watermark_at)
            await clocks.release_held(work.tx)
        case OpportunityChanged():
            rows[payload.opportunity_id] = await _deal(work, payload, rows[payload.opportunity_id], cause)
        case OutcomeRecorded():
            await _outcome(work, payload, cause)
        case DisputeRuled():
            await _dispute(work, payload)
        case _:
            raise AssertionError(f"take_outcomes does not handle {event.type}")


async def _deal(work: Work, payload: OpportunityChanged, row: DealRow, cause: Cause) -> DealRow:
    """Count a deal for one handoff: the one that counts it, or that of the lead it is told of now; its row after it."""
    if payload.object_version <= row.version:
        count("baton_ignored_versions_total")
        return row
    lead_id, result = LeadId(payload.lead_id), _of_deal(payload)
    counting = None if row.handoff_id is None else work.held[row.handoff_id]
    held = _counts(work, counting, lead_id, result)
    if counting is not None and held is not counting:
        take_away(work, counting, result, cause)
    if held is not None:
        move_by_result(work, held, result, cause)
        await claim_results(work.tx, [result.id])  # what was kept of it is older
    else:
        await keep_result(work.tx, result)
    return DealRow(row.id, lead_id, payload.object_version, None if held is None else held.handoff.id)


def _counts(work: Work, counting: Held | None, lead_id: LeadId, result: Result) -> Held | None:
    """The handoff that counts this result: it stays with its cycle, unless it happened since a later one began."""
    latest = _with_a_deal(work, lead_id)
    if counting is None or counting.handoff.root_lead_id != work.leads[lead_id].root_id:
        return latest if latest is not None and is_of_this_cycle(latest, result) else None
    is_later = latest is not None and latest is not counting and result.occurred_at >= latest.times.qualified_at
    return latest if is_later or counting.handoff.state not in MAY_HAVE_A_DEAL else counting


async def _outcome(work: Work, payload: OutcomeRecorded, cause: Cause) -> None:
    """An outcome without an object (API, CSV); those of a CRM's deal come as opportunity.changed, with its version."""
    if payload.source == "handoff" or payload.object is not None or payload.what not in _RESULTS or payload.is_conflict:
        return
    named = None if payload.handoff_id is None else work.held.get(HandoffId(payload.handoff_id))
    root_id = work.leads[LeadId(payload.lead_id)].root_id
    if named is not None and named.handoff.root_lead_id != root_id:
        named = None  # of somebody else: whoever reports knows the lead better than our ids
    held = named or _with_a_deal(work, LeadId(payload.lead_id))
    result = _of_outcome(payload)
    if held is None or (named is None and not is_of_this_cycle(held, result)):
        await keep_result(work.tx, result)
    elif held.handoff.state in MAY_HAVE_A_DEAL:
        move_by_result(work, held, result, cause)


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
        if held.handoff.root_lead_id == root_id and held.handoff.state in MAY_HAVE_A_DEAL
    ]
    return max(found, key=lambda held: (held.times.closed_at is None, held.handoff.cycle), default=None)


async def _dispute(work: Work, payload: DisputeRuled) -> None:
    """A dispute that was upheld gives the lead back in the fairness ledger."""
    rep_id = UserId(payload.rep_id)
    pool = await handoffs.pool_that_gave(work.tx, payload.handoff_id, rep_id) if payload.is_credited else None
    if pool is not None:
        work.to_write.credits.append((pool, rep_id))


def _deals(received: Sequence[Event[Any]]) -> list[OpportunityChanged]:
    return [event.payload for event in received if isinstance(event.payload, OpportunityChanged)]


def _handoff_ids(received: Sequence[Event[Any]]) -> set[UUID]:
    named = {getattr(event.payload, "handoff_id", None) for event in received}
    return {each for each in named if each is not None}


def _is_connector(event: Event[Any]) -> bool:
    return isinstance(event.payload, ConnectorAdvanced)
