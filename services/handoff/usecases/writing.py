"""Writes a unit of work: each kind of row in one statement, events last, so that they leave in lock order."""

from services.handoff.domain.notices import Notice
from services.handoff.store import clocks, dispatches, handoffs, leads, pools, reps
from services.handoff.usecases.work import Work
from shared.ids import HandoffId, LeadId, UserId, derived_id
from shared.stream.outbox import emit
from shared.telemetry import announce

__all__ = ["flush"]


async def flush(work: Work) -> None:
    """Write everything the unit of work has decided; call it once, as the last thing of the transaction."""
    tx, rows, now = work.tx, work.to_write, work.now
    await leads.save_leads(tx, work.changed_leads(), now=now)
    changed = [(each.handoff, each.times, each.was_open) for each in work.held.values() if each.is_changed]
    await handoffs.write_handoffs(tx, changed, now=now)
    await handoffs.end_assignments(tx, rows.ended, now=now)
    begun = sorted(rows.assignments.values(), key=lambda row: (row["handoff_id"], row["attempt"]))
    await handoffs.write_assignments(tx, begun)
    await handoffs.mark_accepted(tx, rows.accepted, now=now)
    touched = [
        (handoff_id, held.clocks[number])
        for handoff_id, held in sorted(work.held.items())
        for number in sorted(held.changed_clocks)
    ]
    await clocks.write_clocks(tx, touched)
    await clocks.write_escalations(tx, rows.escalations)
    await clocks.retract_escalations(tx, rows.retracted, now=now)
    await handoffs.write_evidence(tx, rows.evidence)
    await handoffs.write_touches(tx, rows.touches)
    await handoffs.write_notes(tx, rows.notes)
    await handoffs.write_audit(tx, rows.audit)
    await pools.save_decisions(tx, rows.decisions, work.terms, now=now)
    moved = {rep_id for rep_id, change in work.load_changes.items() if change}
    await reps.lock_reps(tx, moved | set(rows.expired) | rows.answered)  # in id order, before any of them is changed
    await reps.add_load(tx, work.load_changes)
    await _count_expiries(work)
    for handoff_id in rows.stopped:
        await dispatches.withdraw_notices(tx, [handoff_id])
    await dispatches.write_dispatches(tx, rows.notices, [*rows.received, *rows.events])
    await announce("batch:after_save")
    emit(tx, *rows.events)


async def _count_expiries(work: Work) -> None:
    """Expiries in a row set a rep away with notice; what else it holds is looked after by the clocks loop."""
    rows = work.to_write
    answered = sorted(rows.answered - set(rows.expired))
    limit = work.terms.document.sla.expiries_to_away
    for rep_id in await reps.count_expiries(work.tx, rows.expired, answered, away_after=limit):
        rows.notices += [_away_notice(work, rep_id, audience) for audience in ("rep", "manager")]


def _away_notice(work: Work, rep_id: UserId, audience: str) -> Notice:
    last = next(each for each in reversed(list(work.held.values())) if each.handoff.former_owner_id == rep_id).handoff
    return Notice(
        id=derived_id("notice", "set_away", rep_id, last.id, last.token, audience),
        what="set_away",
        audience="rep" if audience == "rep" else "manager",
        handoff_id=HandoffId(last.id),
        lead_id=LeadId(last.lead_id),
        made_at=work.now,
        rep_id=rep_id,
    )
