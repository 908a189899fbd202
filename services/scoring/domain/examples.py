"""Decides whether criteria classify the example leads of an agreement as stated: fresh activities, fit as given."""

from dataclasses import dataclass

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.facts import NO_SUMS, Activity, fold
from services.scoring.domain.qualify import NEVER, Case, Outcome, decide
from services.scoring.domain.scorecard import Score, score_of
from shared.contracts.agreement import Criteria, Example
from shared.ids import ActivityId, LeadId, derived_id

__all__ = ["Classified", "classify"]

_KIND_ONLY_LEAD = LeadId(derived_id("example"))


@dataclass(frozen=True, slots=True)
class Classified:
    """One example: what it should come out as, what it does, and why."""

    example: Example
    is_qualified: bool
    score: Score


def classify(criteria: Criteria, rule: PointsRule, *, now_us: int) -> tuple[Classified, ...]:
    """Every example of the criteria, in their order; an activity has its kind's content, if there is only one."""
    found = []
    for example in criteria.examples:
        activities = (
            Activity(
                activity_id=ActivityId(derived_id("example", place)),
                member_id=_KIND_ONLY_LEAD,
                kind=kind.value,
                content=_only_content(criteria, kind.value),
                is_hard=True,
                verified_by="server_key",
                occurred_us=now_us,
                recorded_us=now_us,
                human=1.0,
            )
            for place, kind in enumerate(example.activities)
        )
        sums = fold(NO_SUMS, activities, rule=rule)
        score = score_of(sums, example.facts, now_us=now_us, rule=rule)
        case = Case(
            score=score.score,
            fit=score.fit,
            engagement=score.engagement,
            now_us=now_us,
            hard_rules=_hits(criteria, example),
            ask=sums.ask,
            evidence_known_us=sums.known_us,
            is_known=True,
            has_open_handoff=False,
        )
        verdict = decide(NEVER, case, thresholds=rule.thresholds(example.facts.get("entry_channel")))
        is_qualified = verdict.outcome is Outcome.QUALIFY and not verdict.is_below_floor
        found.append(Classified(example, is_qualified, score))
    return tuple(found)


def _only_content(criteria: Criteria, kind: str) -> str | None:
    """The content of a kind's only line: an example names kinds alone, and means the line the agreement has for it."""
    contents = {line.content for group in criteria.engagement for line in group.lines if line.kind.value == kind}
    return contents.pop() if len(contents) == 1 else None


def _hits(criteria: Criteria, example: Example) -> tuple[str, ...]:
    facts = {"competitor": "is_competitor", "customer": "is_customer"}
    return tuple(rule for rule in criteria.hard_rules if example.facts.get(facts.get(rule, "")) == "true")
