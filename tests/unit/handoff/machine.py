"""Leads the hand-off machine into a state by inputs alone, under the default agreement."""

from dataclasses import replace
from uuid import UUID

from services.handoff.domain.lifecycle import Decision, Handoff, Verdict, decide, inputs
from services.handoff.domain.lifecycle.effects import Announce
from services.handoff.domain.sla import Terms
from services.handoff.domain.things import Actor, ActorKind
from shared.contracts.agreement import default_agreement
from shared.ids import DecisionId, HandoffId, LeadId, UserId

__all__ = ["ANNA", "BERT", "POLICY", "TERMS", "announced", "in_state", "opening", "reason", "run"]

TERMS = Terms("default", 1, default_agreement())
POLICY = TERMS.policy("scored")
ANNA, BERT, CARL = UserId(UUID(int=1)), UserId(UUID(int=2)), UserId(UUID(int=3))
LEAD = LeadId(UUID(int=11))
DECISION = DecisionId(UUID(int=21))


def opening(cycle: int = 1, *, is_hand_raiser: bool = False) -> inputs.Opening:
    return inputs.Opening(
        id=HandoffId(UUID(int=100 + cycle)),
        lead_id=LEAD,
        root_lead_id=LEAD,
        account_id=None,
        scope_id=LEAD,
        motion="new_business",
        product="default",
        tier="scored",
        policy="qualified",
        cycle=cycle,
        decision_id=DECISION,
        is_hand_raiser=is_hand_raiser,
    )


def run(handoff: Handoff | None, *events: inputs.Input) -> Handoff:
    """Apply inputs that must all hold, each with the token of its moment where it is a command."""
    for event in events:
        decision = decide(handoff, event, POLICY)
        assert decision.verdict is Verdict.OK, (event, decision.why)
        handoff = decision.handoff
    assert handoff is not None
    return handoff


def reason(code: str, **fields: object) -> inputs.Reason:
    return replace(inputs.Reason(code=code), **fields)  # type: ignore[arg-type]  # fields of Reason


_WAYS: dict[str, tuple[inputs.Input, ...]] = {
    "qualified": (),
    "queued": (inputs.NoRoute(queue="no_eligible_rep", reason="no_eligible_rep", pool="default"),),
    "assigned": (inputs.Route(rep_id=ANNA, decision_id=DECISION, pool="default"),),
}
_WAYS["accepted"] = (*_WAYS["assigned"], inputs.Accept(by=ANNA))
_WAYS["paused"] = (*_WAYS["accepted"], inputs.Pause(by=ANNA, reason_code="lead_away"))
_WAYS["working"] = (*_WAYS["accepted"], inputs.Touch())
_WAYS["opportunity"] = (*_WAYS["working"], inputs.Dispose(by=ANNA, how="opportunity"))
_WAYS["won"] = (*_WAYS["opportunity"], inputs.CrmResult(result="won", version=1))
_WAYS["lost"] = (*_WAYS["opportunity"], inputs.CrmResult(result="lost", version=1, reason_code="price"))
_WAYS["nurture"] = (*_WAYS["assigned"], inputs.Reject(by=ANNA, reason=inputs.Reason(code="no_need")))
_WAYS["disqualified"] = (*_WAYS["assigned"], inputs.Reject(by=ANNA, reason=inputs.Reason(code="already_customer")))
_WAYS["suppressed"] = (*_WAYS["assigned"], inputs.Withdraw())
_WAYS["merged"] = (*_WAYS["assigned"], inputs.Merge(into=HandoffId(UUID(int=99)), root_lead_id=LEAD))


def in_state(name: str) -> Handoff:
    return run(None, inputs.Qualify(opening=opening()), *_WAYS[name])


def announced(decision: Decision) -> list[str]:
    return [effect.what for effect in decision.effects if isinstance(effect, Announce)]


MANAGER = Actor(ActorKind.MANAGER)
