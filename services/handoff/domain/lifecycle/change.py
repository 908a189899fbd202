"""Builds one decision: `enter` is the only way to a new state (token + 1, old clocks end, new ones are armed).

A `Change` lives inside one call of `decide`; what leaves it is frozen. It knows no rule of who may do what.
"""

from typing import Any

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle.effects import (
    Announce,
    Announcement,
    AssignmentBegan,
    AssignmentEnded,
    ClockArmed,
    ClockEnded,
    Decision,
    Effect,
    Notify,
    StopAll,
    Verdict,
)
from services.handoff.domain.lifecycle.states import (
    CLOSED,
    OWNED,
    Carried,
    Clock,
    ClockKind,
    ClockState,
    Handoff,
    State,
)
from shared.ids import UserId

__all__ = ["CLOCKS_OF", "Change", "invalid", "stale"]

CLOCKS_OF: dict[State, tuple[ClockKind, ...]] = {
    State.QUALIFIED: (ClockKind.ROUTE,),
    State.QUEUED: (ClockKind.QUEUE,),
    State.ASSIGNED: (ClockKind.ACCEPT,),
    State.ACCEPTED: (ClockKind.TOUCH,),
    State.WORKING: (ClockKind.DISPOSE, ClockKind.PULL_BACK),
    State.OPPORTUNITY: (ClockKind.STALE,),
    State.NURTURE: (ClockKind.ENROL,),
    State.LOST: (ClockKind.COOLOFF,),
}


def stale(handoff: Handoff | None, why: str) -> Decision:
    """A duplicate, late message or lost race: nothing changes."""
    return Decision(handoff, (), Verdict.STALE, why)


def invalid(handoff: Handoff | None, why: str) -> Decision:
    """Not allowed in this state or without this field: nothing changes."""
    return Decision(handoff, (), Verdict.INVALID, why)


class Change:
    """The handoff as it becomes, and the effects so far, in order."""

    def __init__(self, handoff: Handoff) -> None:
        self.handoff = handoff
        self.effects: list[Effect] = []

    def set(self, **fields: Any) -> None:  # noqa: ANN401 - fields of Handoff, its constructor checks them
        """Change fields that are no part of entering a state."""
        self.handoff = replace(self.handoff, **fields)

    def enter(
        self,
        state: State,
        *,
        owner: UserId | None = None,
        ended: str = "closed",
        meets: frozenset[ClockKind] = frozenset(),
        result: str | None = None,
    ) -> None:
        """Go to a state: clocks of the old one end (met when in `meets`, else void), those of the new one are armed.

        owner is the rep that owns it there, required in an owned state; a change of owner ends the assignment (`ended`
        says how) and begins another. A closed state announces `closed` with its result.
        """
        before = self.handoff
        for clock in before.clocks:
            self._end(clock, ClockState.MET if clock.kind in meets else ClockState.VOID)
        self._hand_over(owner, ended)
        self.set(
            state=state,
            token=before.token + 1,
            is_paused=False,
            carried=(),
            breached_at_token=None,
            queue=None,
            queue_reason=None,
            queue_level=0,
            result=result,
        )
        for kind in CLOCKS_OF.get(state, ()):
            self.arm(kind)
        if state in CLOSED and before.state not in CLOSED:
            self.effects.append(StopAll(before.id))

    def close(self, result: str) -> None:
        """Announce that the cycle ended."""
        self.set(result=result)
        self.announce("closed", result=result)

    def pause_clocks(self) -> None:
        """Token + 1; the armed clocks end void and are carried; the resume clock is armed."""
        clocks = self.handoff.clocks
        for clock in clocks:
            self._end(clock, ClockState.VOID)
        carried = tuple(Carried(clock.number, clock.kind, clock.level) for clock in clocks)
        self.set(token=self.handoff.token + 1, is_paused=True, carried=carried, pauses=self.handoff.pauses + 1)
        self.arm(ClockKind.RESUME)

    def resume_clocks(self) -> None:
        """Token + 1; the resume clock is met; carried clocks are armed for what is left of them.

        A touch that was missed before the pause is not carried: what is taken is promised anew, and watched.
        """
        for clock in self.handoff.clocks:
            self._end(clock, ClockState.MET)
        carried = self.handoff.carried
        self.set(token=self.handoff.token + 1, is_paused=False, carried=())
        for before in carried:
            self.arm(before.kind, carries=before.number, level=before.level)
        if self.handoff.state is State.ACCEPTED and not carried:
            self.arm(ClockKind.TOUCH)

    def arm(self, kind: ClockKind, *, carries: int | None = None, level: int = 0) -> None:
        """Arm a clock under the handoff's token."""
        number = self.handoff.clocks_made + 1
        clock = Clock(number, kind, self.handoff.token, level=level, level_at_arm=level, carries=carries)
        self.set(clocks=(*self.handoff.clocks, clock), clocks_made=number)
        self.effects.append(ClockArmed(clock))

    def end(self, number: int, state: ClockState) -> None:
        """End one armed clock."""
        for clock in self.handoff.clocks:
            if clock.number == number:
                self._end(clock, state)

    def advance(self, number: int, level: int) -> Clock:
        """Fire an armed clock up to a rung; the clock as it is after it."""
        clock = next(each for each in self.handoff.clocks if each.number == number)
        fired = replace(clock, level=level)
        self.set(clocks=tuple(fired if each.number == number else each for each in self.handoff.clocks))
        return fired

    def announce(self, what: Announcement, **fields: Any) -> None:  # noqa: ANN401 - fields of Announce
        """One published event: seq + 1."""
        self.set(seq=self.handoff.seq + 1)
        self.effects.append(Announce(what=what, seq=self.handoff.seq, **fields))

    def notify_owner(self, what: str, owner: UserId) -> None:
        """Tell a rep what became of theirs."""
        self.effects.append(Notify("rep", what, owner))

    def done(self) -> Decision:
        """The decision: something changed."""
        return Decision(self.handoff, tuple(self.effects), Verdict.OK)

    def _end(self, clock: Clock, state: ClockState) -> None:
        self.set(clocks=tuple(each for each in self.handoff.clocks if each.number != clock.number))
        self.effects.append(ClockEnded(clock, state))

    def _hand_over(self, owner: UserId | None, ended: str) -> None:
        before = self.handoff.owner_id
        if before == owner:
            return
        if before is not None:
            self.effects.append(AssignmentEnded(self.handoff.attempt, before, ended))
            self.set(former_owner_id=before)
        self.set(owner_id=owner)
        if owner is not None:
            self.set(attempt=self.handoff.attempt + 1)
            self.effects.append(AssignmentBegan(self.handoff.attempt, owner))


assert set(CLOCKS_OF) | {State.WON, State.DISQUALIFIED, State.SUPPRESSED, State.MERGED} == set(State)
assert OWNED.isdisjoint(CLOSED)
