"""Fires what is due, under the locks that the claim took; after an outage gives people time; finds reps that moved.

Never after the act that stops a clock: the machine compares the token under the same lock (RELIABILITY 3.6).
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from services.handoff.domain import sla
from services.handoff.domain.calendar import Calendar
from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import ClockKind, ClockState, Verdict, inputs
from services.handoff.domain.record import StoredClock
from services.handoff.store import absences, clocks, handoffs, leads, reps
from services.handoff.store.clocks import Claimed
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.postponing import calendar_of, move_clocks, untold_offers
from services.handoff.usecases.routing import settle
from services.handoff.usecases.turns import TurnsOf, must_wait, read_turns
from services.handoff.usecases.work import Cause, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.db.engine import Tx
from shared.errors import Busy
from shared.ids import ClockId, HandoffId, UserId, derived_id
from shared.telemetry import announce, log, observe

__all__ = ["POSTPONED_AT_ONCE", "fire_due", "follow_move", "move_absences", "postpone_outage", "recompute_clocks"]

_ABSENCES_AT_ONCE = 100
POSTPONED_AT_ONCE = 500
_REFUSED_AGAIN = timedelta(minutes=1)


def _unheard(_claimed: int) -> None:
    """Nobody waits for the decisions alone."""


async def fire_due(tx: Tx, *, low_water: datetime, limit: int, decided: Callable[[int], None] = _unheard) -> int:
    """Fire up to `limit` due rungs, oldest first; how many were claimed.

    decided: called with that number when all is decided and only to be written.
    """
    claimed = await clocks.claim_due(tx, low_water=low_water, limit=limit)
    await announce("clocks:after_claim")
    if not claimed:
        decided(0)
        return 0
    work = await begin_work(tx)
    await work.hold(each.handoff_id for each in claimed)
    await work.read_people(held.handoff.lead_id for held in work.held.values())
    watermark = await leads.evidence_watermark(tx)
    offers = {each.handoff_id for each in claimed if each.kind is ClockKind.ACCEPT}
    work.untold = await untold_offers(work, offers)
    turns = await read_turns(work, claimed)
    for each in sorted(claimed, key=_in_turn) if turns else claimed:
        _fire(work, each, watermark, turns)
    await settle(work, cause=Cause(claimed[0].id))
    decided(len(claimed))
    await flush(work)
    return len(claimed)


async def move_absences(tx: Tx) -> None:
    """Absences begin and end: note the reps that left and those that are back."""
    leaving, back = await absences.begin_absences(tx, limit=_ABSENCES_AT_ONCE)
    await reps.mark_moved(tx, back, "back")
    await reps.mark_moved(tx, leaving, "left")


async def follow_move(tx: Tx, rep_id: UserId, how: str) -> None:
    """A rep went off: what it was offered is rerouted, for the rest its manager is told; back: the queue is served."""
    work = await begin_work(tx)
    if how == "left":
        owned = await handoffs.ids_of_owner(tx, rep_id)
        await work.lock_people(lead_id for _, lead_id in owned)
        await work.hold(handoff_id for handoff_id, _ in owned)
    await work.know_reps([rep_id])
    cause = Cause(derived_id("rep moved", rep_id, how, work.now))
    is_off = work.crew.why_off(rep_id) is not None
    if how == "left" and is_off:
        for handoff_id in sorted(work.held):
            if work.held[handoff_id].handoff.owner_id == rep_id:
                apply(work, handoff_id, inputs.RepOff(rep_id=rep_id), cause=cause)
    work.is_load_freed = work.is_load_freed or (how == "back" and not is_off)
    await settle(work, cause=cause)
    if not await reps.settle_moved(tx, rep_id, how):  # after the pools: reps are locked last
        raise Busy("The rep moved again, or somebody else has followed it already.")
    if how == "left" and any(each not in work.held for each, _ in await handoffs.ids_of_owner(tx, rep_id)):
        raise Busy("The rep was given something after we looked at what it has.")
    await flush(work)


async def postpone_outage(tx: Tx, *, start: datetime, end: datetime) -> int:
    """Clocks that fell due while nobody could act get their minutes; how many handoffs were touched."""
    work = await begin_work(tx)
    found = await clocks.clocks_due_inside(tx, start, end, limit=POSTPONED_AT_ONCE)
    await _lock(work, found)

    def moved(stored: StoredClock, calendar: Calendar) -> sla.Timing | None:
        return sla.postponed(stored.timing, calendar, outage_from=start, outage_until=end)

    for handoff_id in sorted(work.held):
        move_clocks(work, work.held[handoff_id], "outage", moved)
    await flush(work)
    return len(found)


async def recompute_clocks(
    tx: Tx, *, calendars: Sequence[str], rep_ids: Sequence[UserId], after: HandoffId | None, limit: int
) -> HandoffId | None:
    """A calendar or an absence changed: count armed clocks again, a page at a time; where to go on, None at the end."""
    found = await clocks.armed_in_calendars(tx, calendars=calendars, rep_ids=rep_ids, after=after, limit=limit)
    if not found:
        return None
    work = await begin_work(tx)
    await _lock(work, found)
    for handoff_id in sorted(work.held):
        move_clocks(work, work.held[handoff_id], "calendar", _recounted)
    await flush(work)
    return found[-1] if len(found) == limit else None


def _in_turn(claimed: Claimed) -> tuple[datetime, ClockId]:
    """Late clocks are due at the same instants: their ids say which goes first, whoever read them."""
    return claimed.fire_at, claimed.id


def _fire(work: Work, claimed: Claimed, watermark: datetime | None, turns: TurnsOf) -> None:
    held = work.held[claimed.handoff_id]
    stored = held.clocks.get(claimed.number)
    if stored is None or stored.state is not ClockState.ARMED:
        return  # an earlier one of this round ended it
    if claimed.token != held.handoff.token:  # the row says armed, the token says gone: end it, do nothing else
        work.put_clock(held, replace(stored, state=ClockState.VOID, ended_at=work.now))
        return
    if claimed.kind is ClockKind.QUEUE:  # time alone frees a rep at its cap of 30 days: nobody's act would serve it
        work.is_load_freed = True
    level = sla.rung_due(stored.timing, calendar_of(work, held, stored), stored.clock.level)
    is_last = level == len(stored.timing.fractions) - 1
    is_verified = True
    if is_last and claimed.kind is ClockKind.TOUCH:
        until = sla.evidence_hold(stored.timing.due_at, watermark=watermark, now=work.now)
        if until is not None:
            work.put_clock(held, replace(stored, fire_at=until, is_held=True))
            return
        is_verified = watermark is None or watermark >= stored.timing.due_at
    if is_last and must_wait(work, held, stored, turns):
        return
    observe("baton_clock_lateness_seconds", max(0.0, (work.now - stored.fire_at).total_seconds()))
    event = inputs.Fire(token=claimed.token, number=claimed.number, level=level, is_verified=is_verified)
    decision = apply(work, claimed.handoff_id, event, cause=Cause(derived_id("fired", claimed.id, level)))
    if (
        decision.verdict is not Verdict.OK
    ):  # its terms are not the ones it was armed by: our mistake, seen and not spun on
        log.error("clock_refused", clock_id=str(claimed.id), why=decision.why)
        work.put_clock(held, replace(stored, fire_at=work.now + _REFUSED_AGAIN))


def _recounted(stored: StoredClock, calendar: Calendar) -> sla.Timing | None:
    return None if stored.timing.calendar == sla.WALL else sla.moved(stored.timing, calendar)


async def _lock(work: Work, handoff_ids: Sequence[HandoffId]) -> None:
    await work.lock_people(await handoffs.leads_of(work.tx, handoff_ids))
    await work.hold(handoff_ids)
