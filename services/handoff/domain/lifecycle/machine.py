"""The hand-off machine: one pure reducer over handoff, input and policy (RELIABILITY 7).

    qualify -> qualified -> assigned -> accepted -> working -> opportunity -> won
                  |  ^         |  reject, expire      |  recycle     `-> lost -> (cooloff) nurture
                  v  |         v                      v
                queued      nurture / disqualified / suppressed            any -> suppressed, merged

No time, no I/O, no randomness. Only a verdict of ok changes the handoff.
"""

from collections.abc import Collection
from typing import TypeGuard, assert_never

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import closing, firing, inputs, taking, working
from services.handoff.domain.lifecycle.change import invalid, stale
from services.handoff.domain.lifecycle.effects import ClockEnded, Decision, Effect, Verdict
from services.handoff.domain.lifecycle.states import PROMISES, ClockKind, ClockState, Handoff, Policy

__all__ = ["decide"]

_HIDDEN = frozenset({ClockState.MET})
_HIDDEN_BY_STOPS = frozenset({ClockState.MET, ClockState.VOID})


def decide(handoff: Handoff | None, event: inputs.Input, policy: Policy) -> Decision:
    """What an input does to a handoff: the handoff after it, its effects, and a verdict.

    handoff None means that there is none yet (for Qualify: none in the scope). An input with another token than the
    handoff's is stale: it was decided on a state that is gone.
    """
    if isinstance(event, inputs.Qualify):
        return taking.qualify(handoff, event, policy)
    if handoff is None:
        return invalid(None, "no_such_handoff")
    if event.token is not None and event.token != handoff.token:
        return stale(handoff, "token_gone")
    return _kept_too_late(_answer(handoff, event, policy), event)


def _kept_too_late(decision: Decision, event: inputs.Step) -> Decision:
    """An act after the due instant does what it does, but meets no promise: the clock just had not fired yet.

    Nor does it take one out of the world: what a pause or another owner would end without a word was missed before.
    """
    if not event.missed or decision.handoff is None or decision.verdict is not Verdict.OK:
        return decision
    hidden = _HIDDEN_BY_STOPS if isinstance(event, inputs.Pause | inputs.Reassign) else _HIDDEN
    late = [effect for effect in decision.effects if _would_hide(effect, event.missed, hidden)]
    if not late:
        return decision
    effects = tuple(replace(each, state=ClockState.BREACHED) if each in late else each for each in decision.effects)
    touches = tuple(each.clock.number for each in late if each.clock.kind is ClockKind.TOUCH)
    numbers = {each.clock.number for each in late}
    handoff = replace(
        decision.handoff,
        missed_touches=(*decision.handoff.missed_touches, *touches),  # an earlier touch may still be learned
        carried=tuple(each for each in decision.handoff.carried if each.number not in numbers),
    )
    return Decision(handoff, effects)


def _would_hide(effect: Effect, missed: Collection[int], hidden: Collection[ClockState]) -> TypeGuard[ClockEnded]:
    if not isinstance(effect, ClockEnded) or effect.state not in hidden:
        return False
    return effect.clock.number in missed and effect.clock.kind in PROMISES


def _answer(handoff: Handoff, event: inputs.Step, policy: Policy) -> Decision:
    match event:
        case inputs.Attach():
            return taking.attach(handoff, event, policy)
        case inputs.Route():
            return taking.route(handoff, event, policy)
        case inputs.NoRoute():
            return taking.no_route(handoff, event, policy)
        case inputs.Pull():
            return taking.pull(handoff, event, policy)
        case inputs.Reassign():
            return taking.reassign(handoff, event, policy)
        case inputs.RepOff():
            return taking.rep_off(handoff, event, policy)
        case inputs.Revoke():
            return taking.revoke(handoff, event, policy)
        case inputs.Accept():
            return working.accept(handoff, event, policy)
        case inputs.Reject():
            return working.reject(handoff, event, policy)
        case inputs.Touch():
            return working.touch(handoff, event, policy)
        case inputs.Dispose():
            return working.dispose(handoff, event, policy)
        case inputs.Pause():
            return working.pause(handoff, event, policy)
        case inputs.Resume():
            return working.resume(handoff, event, policy)
        case inputs.Fire():
            return firing.fire(handoff, event, policy)
        case inputs.Reschedule():
            return firing.reschedule(handoff, event, policy)
        case inputs.LateEvidence():
            return firing.late_evidence(handoff, event, policy)
        case inputs.CrmResult():
            return closing.crm_result(handoff, event, policy)
        case inputs.Withdraw():
            return closing.withdraw(handoff, event, policy)
        case inputs.Merge():
            return closing.merge(handoff, event, policy)
        case inputs.Repoint():
            return closing.repoint(handoff, event, policy)
        case inputs.Split():
            return closing.split(handoff, event, policy)
        case inputs.Enrol():
            return closing.enrol(handoff, event, policy)
        case inputs.Supersede():
            return closing.supersede(handoff, event, policy)
        case _:  # pragma: no cover - the type checker proves that there is no other
            assert_never(event)
