"""Handoff events become steps of their record, and the steps that say what became of a lead become outcomes."""

from collections.abc import Sequence
from uuid import UUID

from services.feedback.domain.disposition import Told, contradicts, outcome_of
from services.feedback.domain.handoffs import Step, fold, step_of
from services.feedback.store import loop, outcomes, people
from services.feedback.store.outcomes import OutcomeRow
from services.feedback.usecases import SOURCE
from services.feedback.usecases.agreements import agreement_of
from shared.contracts.envelope import Event
from shared.contracts.handoffs import HandoffEvent
from shared.contracts.outcomes import OutcomeRecorded
from shared.db.engine import Tx
from shared.ids import derived_id
from shared.stream.outbox import emit

# Outcomes that a handoff itself tells carry this source; handoff ignores them when they come back.
HANDOFF_SOURCE = "handoff"


async def fold_handoffs(tx: Tx, received: Sequence[Event[HandoffEvent]]) -> None:
    """Add the steps to their records and append the outcomes they are; a seq that is there already adds nothing."""
    await people.make_leads(tx, {event.payload.lead_id for event in received})
    known = await loop.lock_handoffs(tx, {event.payload.handoff_id for event in received})
    steps: dict[UUID, list[Step]] = {handoff_id: list(own) for handoff_id, own in known.items()}
    leads: dict[UUID, UUID] = {}
    versions = {event.payload.agreement_version for event in received}
    reasons = {version: (await agreement_of(tx, version)).reasons for version in versions}
    for event in received:
        told = event.payload
        own = steps.setdefault(told.handoff_id, [])
        if any(step.seq == told.seq for step in own):
            continue
        leads[told.handoff_id] = told.lead_id
        step = step_of(event)
        own.append(step)
        outcome = outcome_of(step, reasons[told.agreement_version])
        if outcome is not None:
            await _append_outcome(tx, event, step, outcome)
    await loop.save_handoffs(
        tx, [fold(handoff_id, leads[handoff_id], steps[handoff_id]) for handoff_id in sorted(leads)]
    )


async def _append_outcome(tx: Tx, event: Event[HandoffEvent], step: Step, outcome: Told) -> None:
    """Append what this step says; the id rests on the handoff's seq, so a restore makes the same."""
    told = event.payload
    row = OutcomeRow(
        outcome_id=derived_id(SOURCE, "outcome", told.handoff_id, told.seq),
        lead_id=told.lead_id,
        handoff_id=told.handoff_id,
        what=outcome.what,
        reason_code=outcome.reason_code,
        occurred_at=step.at,
        recorded_at=tx.now,
        source=HANDOFF_SOURCE,
        object=str(told.handoff_id),
        object_version=told.seq,
        is_conflict=await is_contradicted(tx, told.handoff_id, outcome.what),
        tags=outcome.tags,
    )
    if await outcomes.add_outcome(tx, row):
        emit(tx, Event.caused(recorded(row), by=event, source=SOURCE, occurred_at=step.at, recorded_at=tx.now))


async def is_contradicted(tx: Tx, handoff_id: UUID | None, what: str, *, superseded: UUID | None = None) -> bool:
    """Whether what stands of this handoff, but for the outcome about to be superseded, cannot be true beside `what`."""
    if handoff_id is None:
        return False
    standing = await outcomes.current_of_handoff(tx, handoff_id)
    return any(contradicts(what, each.what) for each in standing if each.outcome_id != superseded)


def recorded(row: OutcomeRow) -> OutcomeRecorded:
    """The event of an appended outcome."""
    return OutcomeRecorded(
        outcome_id=row.outcome_id,
        lead_id=row.lead_id,
        handoff_id=row.handoff_id,
        what=row.what,
        reason_code=row.reason_code or None,
        amount_minor=row.amount_minor,
        currency=row.currency,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        source=row.source,
        object=row.object,
        object_version=row.object_version,
        supersedes=row.supersedes,
        is_conflict=row.is_conflict,
        tags=list(row.tags),
    )
