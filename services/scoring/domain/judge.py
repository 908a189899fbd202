"""Decides everything about one person at one instant: score, verdict, what is shown, when to look again.

The one place where score, hard rules, standing and exploration meet; the same function judges live, in a simulation and
in the replay of the history. Who may not be scored has no score: counted, not scored, not handed off.
"""

from typing import NamedTuple

from services.scoring.domain.criteria import PointsRule, Thresholds
from services.scoring.domain.crossing import HORIZON_US, course_of, next_below, next_qualifying
from services.scoring.domain.decay import DAY_US
from services.scoring.domain.person import Person
from services.scoring.domain.qualify import (
    Case,
    Outcome,
    Standing,
    Verdict,
    asks,
    closed,
    decide,
    draw_at,
    is_drawable,
    tried,
)
from services.scoring.domain.scorecard import Model, Score, score_of

__all__ = ["NO_SCORE", "Draw", "Judgement", "judge", "verdict_on"]

NO_SCORE = Score(0, 0, 0, ())


class Draw(NamedTuple):
    """The chance of one lead: u, and the limit below which it is explored."""

    value: float
    limit: float


class Judgement(NamedTuple):
    """What one look at a person comes to. is_scored is False without permission; recheck_us: when to look again."""

    score: Score
    is_scored: bool
    case: Case
    verdict: Verdict
    recheck_us: int | None


def judge(
    person: Person,
    standing: Standing,
    *,
    now_us: int,
    rule: PointsRule,
    model: Model | None = None,
    draw: Draw | None = None,
) -> Judgement:
    """Judge one person. draw is given when its draw is due; without it nobody is explored."""
    is_scored = person.may_be_scored
    thresholds = rule.thresholds(person.attributes.get("entry_channel"))
    score, case, verdict = _ruled(person, standing, thresholds, now_us=now_us, rule=rule, model=model)
    if (
        draw is not None
        and is_scored
        and verdict.outcome is Outcome.STAY
        and is_drawable(verdict.standing, person.known_since_us)
    ):
        verdict = tried(verdict.standing, case, thresholds=thresholds, draw=draw.value, limit=draw.limit)
    recheck = _next_look(person, case, verdict.standing, thresholds, rule=rule, model=model) if is_scored else None
    return Judgement(score, is_scored, case, verdict, recheck)


def verdict_on(
    person: Person, standing: Standing, *, now_us: int, rule: PointsRule, model: Model | None = None
) -> Verdict:
    """What `judge` decides by score and asks, without a draw and without the next look."""
    thresholds = rule.thresholds(person.attributes.get("entry_channel"))
    return _ruled(person, standing, thresholds, now_us=now_us, rule=rule, model=model)[2]


def _ruled(
    person: Person, standing: Standing, thresholds: Thresholds, *, now_us: int, rule: PointsRule, model: Model | None
) -> tuple[Score, Case, Verdict]:
    score = NO_SCORE
    if person.may_be_scored:
        counts = person.counts
        score = score_of(person.sums, person.attributes, now_us=now_us, rule=rule, model=model, counts=counts)
    case = _case(person, score, now_us, rule)
    return score, case, decide(closed(standing, person.closed_us), case, thresholds=thresholds)


def _case(person: Person, score: Score, now_us: int, rule: PointsRule) -> Case:
    return Case(
        score.score,
        score.fit,
        score.engagement,
        now_us,
        person.hard_rules(rule.hard_rules) if person.hits else (),
        person.sums.ask,
        person.sums.known_us,
        person.known_since_us > 0,
        person.has_open_handoff,
    )


def _next_look(
    person: Person,
    case: Case,
    standing: Standing,
    thresholds: Thresholds,
    *,
    rule: PointsRule,
    model: Model | None,
) -> int | None:
    """The next instant at which time alone can change something: a crossing, the end of a dwell, the draw."""
    found: list[int | None] = []
    has_share = rule.exploration.share > 0 or rule.exploration.share_small > 0
    if has_share and is_drawable(standing, person.known_since_us):
        found.append(draw_at(person.known_since_us))
    after_dwell = max(case.now_us, standing.since_us + thresholds.dwell_us if standing.since_us else 0)
    if model is not None and model.card.family == "scorecard":
        if after_dwell > case.now_us:
            found.append(after_dwell)
        elif standing.is_qualified:
            found.append(case.now_us + DAY_US)  # bins move by the day, and no closed form says which way
    elif standing.is_qualified:
        if asks(standing, case) and not case.has_open_handoff:
            found.append(after_dwell)
        found.append(_fall(person, case, standing, thresholds, rule=rule, from_us=after_dwell))
    else:
        found.append(_rise(person, case, standing, thresholds, rule=rule, from_us=after_dwell))
    later = [at for at in found if at is not None and at > case.now_us]
    return min(later, default=None)


def _fall(
    person: Person, case: Case, standing: Standing, thresholds: Thresholds, *, rule: PointsRule, from_us: int
) -> int | None:
    if not standing.has_stood:
        return None
    fit = sum(points for _, points in rule.fit(person.attributes))
    at = next_below(course_of(person.sums, fit, rule=rule), thresholds.demote, from_us=from_us)
    return at if at is not None else case.now_us + HORIZON_US


def _rise(
    person: Person, case: Case, standing: Standing, thresholds: Thresholds, *, rule: PointsRule, from_us: int
) -> int | None:
    has_negative = rule.has_negative(person.sums.tallies)
    is_waiting = from_us > case.now_us and case.score >= thresholds.qualify
    if not (has_negative or is_waiting) or case.hard_rules or case.evidence_known_us <= standing.closed_us:
        return None
    if case.fit < thresholds.fit_floor:
        return None
    fit = sum(points for _, points in rule.fit(person.attributes))
    course = course_of(person.sums, fit, rule=rule)
    return next_qualifying(course, thresholds.qualify, thresholds.engagement_floor, from_us=from_us)
