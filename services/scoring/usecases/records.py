"""What leaves scoring about a lead: its shown numbers, and the full record of a decision, stored and emitted alike.

Ids rest on counters (lead and number), never on how a batch was cut: a restore makes the same ones.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.scoring.domain.decay import moment
from services.scoring.domain.facts import Activity
from services.scoring.domain.judge import Judgement
from services.scoring.domain.person import Person, facts_of, values_of
from services.scoring.domain.qualify import Outcome, Standing
from services.scoring.domain.scorecard import Model, top_reasons
from services.scoring.domain.tier import tier_of
from services.scoring.store.decisions import StoredDecision
from services.scoring.store.leads import LeadRow
from services.scoring.usecases.ruling import Ruling
from shared.contracts.scores import FactValue, LeadDemoted, LeadQualified, LeadScored, ScoreLine, ShadowScore
from shared.ids import LeadId, derived_id

__all__ = [
    "EVIDENCE_MOST",
    "Scene",
    "chosen_evidence",
    "decision_payload",
    "scored_payload",
    "shown_text",
    "stored",
    "takeover",
]

EVIDENCE_MOST = 10
_KINDS = {Outcome.QUALIFY: "qualified", Outcome.CONFIRM: "qualified", Outcome.DEMOTE: "demoted", Outcome.DRAWN: "drawn"}


class Scene(NamedTuple):
    """One judged person with the terms it was judged by: what every record of it is made from.

    before: the standing that was judged. crossed_us: when what a decision rests on had happened.
    """

    person: Person
    before: Standing
    judgement: Judgement
    ruling: Ruling
    score_version: int
    crossed_us: int = 0

    @property
    def lead_id(self) -> LeadId:
        """The root of the person's tree."""
        return self.person.root_id

    @property
    def outcome(self) -> Outcome:
        """What the judgement comes to."""
        return self.judgement.verdict.outcome

    @property
    def decision_id(self) -> UUID:
        """The id of the decision: of the lead and the number of its qualification."""
        verdict = self.judgement.verdict
        return derived_id("scoring", _KINDS[verdict.outcome], self.lead_id, verdict.standing.number)


def shown_text(scene: Scene) -> str:
    """What a person sees of the score, as text: when it differs, and only then, a lead.scored leaves."""
    score = scene.judgement.score
    shown = [
        score.score,
        score.fit,
        score.engagement,
        score.p_win,
        scene.judgement.verdict.standing.is_qualified,
        top_reasons(score.lines),
        str(scene.person.account_id or ""),
        scene.ruling.version,
    ]
    return orjson.dumps(shown).decode()


def scored_payload(scene: Scene) -> LeadScored:
    """The numbers, their top reasons and the terms that decided."""
    return LeadScored(**_numbers(scene))


def decision_payload(
    scene: Scene, *, evidence: Sequence[Activity], shadows: Sequence[Model]
) -> LeadQualified | LeadDemoted:
    """The full record of a decision: facts with known_at, lines, shadow scores, propensity. Scores again to the bit."""
    judgement, ruling = scene.judgement, scene.ruling
    verdict, score = judgement.verdict, judgement.score
    facts = _facts(scene) if judgement.is_scored else {}
    values = values_of(facts)
    recorded: dict[str, Any] = {
        **_numbers(scene),
        "decision_id": scene.decision_id,
        "number": max(1, verdict.standing.number),
        "product": ruling.rule.product,
        "policy": verdict.policy,
        "tier": tier_of(ruling.agreement.sla, values, policy=verdict.policy, is_below_floor=verdict.is_below_floor),
        "is_below_floor": verdict.is_below_floor,
        "propensity": verdict.propensity,
        "draw": verdict.draw,
        "draw_limit": verdict.draw_limit,
        "facts": [FactValue(name=name, value=value, known_at=moment(known)) for name, (value, known) in facts.items()],
        "lines": [ScoreLine(line=name, points=points) for name, points in score.lines],
        "shadow": [
            ShadowScore(model_id=model.model_id, p_win=model.card.p_win(score.points, values)) for model in shadows
        ],
        "crossed_at": moment(scene.crossed_us),
        "entry_channel": values.get("entry_channel", "unknown"),
        "campaign": values.get("campaign"),
        "evidence": [activity.activity_id for activity in evidence],
    }
    return LeadDemoted(**recorded) if verdict.outcome is Outcome.DEMOTE else LeadQualified(**recorded)


def stored(scene: Scene, payload: LeadQualified | LeadDemoted, *, decided_at: datetime) -> StoredDecision:
    """The decision as it is kept: the payload, with what the verdict looked at beside the score."""
    judgement = scene.judgement
    content = {
        **payload.model_dump(mode="json", exclude_none=True),
        "outcome": judgement.verdict.outcome.value,
        "hard_rules": list(judgement.case.hard_rules),
        "p_threshold": None if scene.ruling.model is None else scene.ruling.model.p_threshold,
    }
    return StoredDecision(
        decision_id=scene.decision_id,
        lead_id=scene.lead_id,
        account_id=None,
        kind=_KINDS[judgement.verdict.outcome],
        number=judgement.verdict.standing.number,
        decided_at=decided_at,
        content=orjson.dumps(content).decode(),
    )


def takeover(root: LeadRow, came_from: LeadId, *, at: datetime) -> StoredDecision:
    """The record of a qualification that a merge handed to a root: nothing leaves, but its number is accounted for."""
    content = {"policy": root.standing.policy, "from_lead_id": str(came_from)}
    number = root.standing.number
    return StoredDecision(
        decision_id=derived_id("scoring", "taken_over", root.lead_id, number),
        lead_id=root.lead_id,
        account_id=None,
        kind="taken_over",
        number=number,
        decided_at=at,
        content=orjson.dumps(content).decode(),
    )


def chosen_evidence(scene: Scene, activities: Mapping[LeadId, Sequence[Activity]]) -> list[Activity]:
    """The newest human activities behind the score, at most ten, newest first."""
    rule = scene.ruling.rule
    found = []
    for member in scene.person.members:
        for activity in activities.get(member.lead_id, ()):
            match = rule.match(activity.kind, activity.content, activity.is_hard, activity.verified_by)
            if activity.human >= 0.5 and (match.lines or match.is_hand_raise):
                found.append(activity)
    newest = sorted(found, key=lambda each: (-each.counts_from_us, each.activity_id.int))
    return newest[:EVIDENCE_MOST]


def _numbers(scene: Scene) -> dict[str, Any]:
    score, ruling = scene.judgement.score, scene.ruling
    return {
        "lead_id": scene.lead_id,
        "account_id": scene.person.account_id,
        "score_version": scene.score_version,
        "score": score.score,
        "fit": score.fit,
        "engagement": score.engagement,
        "p_win": score.p_win,
        "is_qualified": scene.judgement.verdict.standing.is_qualified,
        "reasons": [ScoreLine(line=name, points=points) for name, points in top_reasons(score.lines)],
        "agreement_id": ruling.agreement_id,
        "agreement_version": ruling.version,
        "model_id": score.model_id,
    }


def _facts(scene: Scene) -> dict[str, tuple[str, int]]:
    """Every fact, and what the signed points made of them: a model's card is trained on these names."""
    judgement = scene.judgement
    facts = facts_of(scene.person, judgement.case.now_us, rule=scene.ruling.rule)
    known = max((known for _, known in facts.values()), default=0)
    score = judgement.score
    summed = {"points": score.points, "fit": score.fit, "engagement": score.engagement}
    return {**facts, **{name: (str(value), known) for name, value in summed.items()}}
