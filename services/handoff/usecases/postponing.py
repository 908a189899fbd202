"""Gives people the minutes that an outage took: clocks move, the history says so, then only is an act judged.

The clocks postpone what fell due when they are back (`firing.postpone_outage`). Who acts before that must not be worse
off than who does nothing, so a missed promise is put through the same rule first.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from services.handoff.domain import sla
from services.handoff.domain.calendar import ALWAYS, Calendar
from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import ClockKind, inputs
from services.handoff.domain.lifecycle.states import PROMISES
from services.handoff.domain.record import StoredClock
from services.handoff.store import outages
from services.handoff.store.attempts import notices_not_out
from services.handoff.usecases.announcing import offer_notice_id
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.work import Cause, Held, Work
from shared.ids import HandoffId, derived_id

__all__ = ["calendar_of", "forgive_outages", "move_clocks", "untold_offers"]

Mover = Callable[[StoredClock, Calendar], sla.Timing | None]


async def forgive_outages(work: Work) -> None:
    """Before acts on what is held: postpone what fell due while nobody could act, and see who was never told.

    Reads nothing unless a promise is missed and has not fired.
    """
    missed = [stored for held in work.held.values() for stored in _missed(held, work.now)]
    if not missed:
        return
    since = min(each.timing.due_at for each in missed)
    gaps = await outages.gaps_since(work.tx, since)

    def moved(stored: StoredClock, calendar: Calendar) -> sla.Timing | None:
        if stored.timing.is_late_by_system:
            return None
        found = (sla.postponed(stored.timing, calendar, outage_from=start, outage_until=end) for start, end in gaps)
        return max((each for each in found if each is not None), key=lambda each: each.due_at, default=None)

    if gaps:
        for handoff_id in sorted(each for each, held in work.held.items() if _missed(held, work.now)):
            move_clocks(work, work.held[handoff_id], "outage", moved)
    offers = {
        handoff_id
        for handoff_id, held in work.held.items()
        if any(each.clock.kind is ClockKind.ACCEPT for each in _missed(held, work.now))
    }
    work.untold |= await untold_offers(work, offers)


async def untold_offers(work: Work, handoff_ids: set[HandoffId]) -> frozenset[HandoffId]:
    """Those of these offers whose owner has not been told yet."""
    notices = {each: offer_notice_id(work.held[each].handoff) for each in sorted(handoff_ids)}
    not_out = await notices_not_out(work.tx, list(notices.values()))
    return frozenset(each for each, notice_id in notices.items() if notice_id in not_out)


def move_clocks(work: Work, held: Held, why: str, move: Mover) -> None:
    """Give the armed clocks of a handoff other instants, and say so; one that `move` has none for stays."""
    before: list[tuple[int, str]] = []
    after: list[tuple[int, str]] = []
    for clock in held.handoff.clocks:
        stored = held.clocks[clock.number]
        calendar = calendar_of(work, held, stored)
        timing = move(stored, calendar)
        if timing is None or timing == stored.timing:
            continue
        fire_at = sla.next_rung(timing, calendar, clock.level)[1]
        before.append((clock.number, stored.timing.due_at.isoformat()))
        after.append((clock.number, timing.due_at.isoformat()))
        work.put_clock(held, replace(stored, timing=timing, fire_at=fire_at))
    if before:
        event = inputs.Reschedule(why=why, before=tuple(before), after=tuple(after))
        apply(work, held.handoff.id, event, cause=Cause(derived_id("rescheduled", held.handoff.id, held.handoff.seq)))


def calendar_of(work: Work, held: Held, stored: StoredClock) -> Calendar:
    """The calendar an armed clock counts in."""
    if stored.timing.calendar == sla.WALL:
        return ALWAYS
    return work.calendar_for(stored.clock.kind, held.handoff.owner_id)


def _missed(held: Held, now: datetime) -> Sequence[StoredClock]:
    armed = (held.clocks[clock.number] for clock in held.handoff.clocks if clock.kind in PROMISES)
    return [each for each in armed if each.timing.due_at < now]
