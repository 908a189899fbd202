"""Which promise a touch serves: the running one of the owner, or a missed one that it met in time after all.

A touch counts for the owner's side (the owner, or its team) and by when it happened, not when it was learned.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from services.handoff.domain.lifecycle import ClockKind, Handoff, inputs
from services.handoff.domain.lifecycle.states import ENDED_BY_DEALS
from services.handoff.domain.record import StoredClock, Times
from services.handoff.domain.things import SYSTEM, Actor
from shared.contracts.activities import ActivityRecorded
from shared.contracts.kinds import ActivityKind, Direction
from shared.ids import UserId

__all__ = ["is_touch", "names_no_actor", "served_by"]

_TRIES = frozenset(
    {
        ActivityKind.CALL_CONNECTED,
        ActivityKind.CALL_ATTEMPTED,
        ActivityKind.EMAIL_SENT,
        ActivityKind.EMAIL_REPLIED,
        ActivityKind.MEETING_HELD,
        ActivityKind.SITE_VISIT,
    }
)
_STOPPED_BY_TOUCH = frozenset({ClockKind.ACCEPT, ClockKind.TOUCH})


def is_touch(activity: ActivityRecorded) -> bool:
    """Whether a person of Sales tried to reach the lead; automatic mail has no actor, or no human behind it."""
    return (
        activity.direction is Direction.SALES
        and activity.actor_user_id is not None
        and activity.kind in _TRIES
        and activity.human >= 0.5
    )


def names_no_actor(recorded: bytes) -> bool:
    """Whether an activity, as it stands in the log, names nobody who did it for Sales: then it is no touch."""
    return b'"actor_user_id":' not in recorded


def served_by(
    handoff: Handoff,
    times: Times,
    clocks: Mapping[int, StoredClock],
    *,
    touched_at: datetime,
    actor_id: UserId,
    is_same_side: Callable[[UserId, UserId], bool],
    actor: Actor = SYSTEM,
) -> inputs.Touch | inputs.LateEvidence | None:
    """The input a touch becomes, or None when it serves no promise of this handoff."""
    for number in handoff.missed_touches:
        missed = clocks.get(number)
        if missed is None or missed.rep_id is None or not is_same_side(actor_id, missed.rep_id):
            continue
        if missed.timing.base_at <= touched_at <= missed.timing.due_at:
            return inputs.LateEvidence(number=number, touched_at=touched_at, actor=actor)
    # A deal may end it before the CRM's calls are told: they count until then, for who had it last.
    owner = handoff.former_owner_id if handoff.state in ENDED_BY_DEALS else handoff.owner_id
    is_owners = owner is not None and is_same_side(actor_id, owner)
    # Of the first owner counts what happened since the lead qualified: what is imported in arrears has true times, and
    # the assignment was made by our clock. Of a later owner, what happened since it got the lead, unless it had it
    # before the deal's end that was taken back.
    is_back = handoff.owner_id is not None and handoff.owner_id == handoff.former_owner_id
    since = times.qualified_at if handoff.attempt == 1 or is_back else times.assigned_at
    if is_owners and since is not None and since <= touched_at and (times.closed_at or touched_at) >= touched_at:
        running = [clocks[clock.number] for clock in handoff.clocks if clock.kind in _STOPPED_BY_TOUCH]
        is_in_time = all(touched_at <= clock.timing.due_at for clock in running)
        return inputs.Touch(touched_at=touched_at, is_in_time=is_in_time, actor=actor)
    return None
