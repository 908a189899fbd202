"""Writes a unit of work: most of it in one statement, events last, so that they leave in lock order."""

from services.handoff.domain.notices import Notice
from services.handoff.store import clocks, dispatches, handoffs, leads, pools, reps
from services.handoff.store.rows import put_rows
from services.handoff.usecases.work import Work
from shared.ids import HandoffId, LeadId, UserId, derived_id
from shared.stream.outbox import emit
from shared.telemetry import announce

__all__ = ["flush"]


async def flush(work: Work) -> None:
    """Write everything the unit of work has decided; call it once, as the last thing of the transaction."""
    tx, rows, now = work.tx, work.to_write, work.now
    # What makes room for the rest goes before it; the rest is one statement.
    changed = [(each.handoff, each.times, each.was_open) for each in work.held.values() if each.is_changed]
    of_handoffs = handoffs.put_handoffs(changed, now=now)
    for put in of_handoffs[:-1]:
        await put_rows(tx, put)
    await handoffs.end_assignments(tx, rows.ended, now=now)
    moved = {rep_id for rep_id, change in work.load_changes.items() if change}
    of_reps = moved | set(rows.expired) | rows.answered
    await reps.lock_reps(tx, of_reps - work.locked_reps)  # in id order, before any of them is changed
    await pools.save_ledger(tx, rows.pools, work.load_changes)
    await _count_expiries(work)
    if rows.stopped:
        await dispatches.withdraw_notices(tx, rows.stopped)
    told = [*rows.received, *rows.events]
    touched = [
        (handoff_id, held.clocks[number])
        for handoff_id, held in sorted(work.held.items())
        for number in sorted(held.changed_clocks)
    ]
    begun = sorted(rows.assignments.values(), key=lambda row: (row["handoff_id"], row["attempt"]))
    puts = [
        leads.put_leads(work.changed_leads(), now=now),
        leads.put_accounts(work.changed_accounts()),
        *of_handoffs[-1:],
        handoffs.put_assignments(begun),
        clocks.put_clocks(touched),
        clocks.put_escalations(rows.escalations),
        handoffs.put_evidence(rows.evidence),
        handoffs.put_touches(rows.touches),
        handoffs.put_notes(rows.notes),
        handoffs.put_audit(rows.audit),
        pools.put_decisions(rows.decisions, work.terms, now=now),
    ]
    if work.subscriptions:  # what leaves for others is decided by leads and handoffs as they are now
        await put_rows(tx, *puts)
        puts = []
    await put_rows(tx, *puts, await dispatches.put_dispatches(tx, rows.notices, told, work.subscriptions))
    await handoffs.mark_accepted(tx, rows.accepted, now=now)
    await clocks.retract_escalations(tx, rows.retracted, now=now)
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
