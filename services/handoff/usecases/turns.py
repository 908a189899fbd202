"""When a clock that an outage made late may take its handoff from the rep: in turn, a few within any minute.

Two loops share one count by a lock per rep. A clock that must wait keeps its due instant and says so in the audit.
"""

from collections.abc import Sequence
from datetime import datetime

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import ClockKind, inputs
from services.handoff.domain.record import StoredClock
from services.handoff.domain.turns import MINUTE, Turns
from services.handoff.store import clocks
from services.handoff.store.clocks import Claimed
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.work import Cause, Held, Work
from shared.ids import UserId, derived_id

__all__ = ["TurnsOf", "must_wait", "read_turns"]

TurnsOf = dict[UserId, Turns]
_TAKES_FROM_THE_REP = frozenset({ClockKind.ACCEPT, ClockKind.TOUCH})


async def read_turns(work: Work, claimed: Sequence[Claimed]) -> TurnsOf:
    """The turns of the owners of late clocks among these, locked until the commit; empty when no outage was."""
    owners: set[UserId] = set()
    for each in claimed:
        held = work.held[each.handoff_id]
        stored, owner = held.clocks.get(each.number), held.handoff.owner_id
        is_late = stored is not None and stored.timing.is_late_by_system
        if is_late and owner is not None and each.kind in _TAKES_FROM_THE_REP:
            owners.add(owner)
    if not owners:
        return {}
    taken = await clocks.turns_taken(work.tx, sorted(owners), since=work.now - MINUTE)
    return {owner: Turns(taken.get(owner, ())) for owner in owners}


def must_wait(work: Work, held: Held, stored: StoredClock, turns: TurnsOf) -> bool:
    """Take the turn of a clock whose last rung is due; whether it lies ahead, in which case the clock fires then."""
    owner = held.handoff.owner_id
    if stored.clock.kind not in _TAKES_FROM_THE_REP or owner is None or owner not in turns:
        return False
    if not stored.timing.is_late_by_system:
        turns[owner].note(work.now)
        return False
    turn = turns[owner].take(work.now)
    if turn > work.now:
        _wait(work, held, stored, turn)
    return turn > work.now


def _wait(work: Work, held: Held, stored: StoredClock, turn: datetime) -> None:
    number = stored.clock.number
    work.put_clock(held, replace(stored, fire_at=turn))
    event = inputs.Reschedule(
        why="turns", before=((number, stored.fire_at.isoformat()),), after=((number, turn.isoformat()),)
    )
    apply(work, held.handoff.id, event, cause=Cause(derived_id("rescheduled", held.handoff.id, held.handoff.seq)))
