"""Decides the displayed score and its reasons: integer contributions that add up to it, to the point.

What is shown is what decides (SCORING, rule 8). Points are rounded by largest remainder; caps, floors and the clamp
are lines of their own. A promoted `points_platt` model adds p_win and leaves the score; a `scorecard` replaces it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, fsum
from typing import NamedTuple
from uuid import UUID

from services.scoring.domain.criteria import Line, PointsRule
from services.scoring.domain.decay import decayed
from services.scoring.domain.facts import KindCount, Sums, sum_facts
from shared.contracts.model_card import ModelCard, signed_points, total_of

__all__ = [
    "Model",
    "Score",
    "clamp",
    "engagement_of",
    "points_score",
    "rounded",
    "score_of",
    "score_of_facts",
    "shown",
    "top_reasons",
]

SCORE_MAX = 100
REASONS_SHOWN = 3
NO_COUNTS: Mapping[str, KindCount] = {}


@dataclass(frozen=True, slots=True)
class Model:
    """A published model as scoring serves it; p_threshold is set at promotion (0 < p < 1)."""

    model_id: UUID
    card: ModelCard
    p_threshold: float = 0.5


class Score(NamedTuple):
    """What is displayed and decides. `lines` are signed integers that add up to `score` exactly."""

    score: int
    fit: int
    engagement: int
    lines: tuple[tuple[str, int], ...]
    p_win: float | None = None
    model_id: UUID | None = None

    @property
    def points(self) -> int:
        """The signed points a model's card reads."""
        return signed_points(self.fit, self.engagement)


def score_of(
    sums: Sums,
    attributes: Mapping[str, str],
    *,
    now_us: int,
    rule: PointsRule,
    model: Model | None = None,
    counts: Mapping[str, KindCount] = NO_COUNTS,
) -> Score:
    """The score of a person at an instant, by the points rule or by the promoted model's card."""
    pointed = points_score(rule.fit(attributes), rule.engagement(_weights_at(sums, now_us, rule)))
    if model is None:
        return pointed
    facts = {name: value for name, (value, _) in sum_facts(sums, counts, now_us, rule=rule).items()}
    return _by_model(pointed, {**facts, **attributes}, rule=rule, model=model)


def engagement_of(sums: Sums, *, now_us: int, rule: PointsRule) -> float:
    """The engagement half within 0..100, unrounded."""
    total = fsum(points for _, points in rule.engagement(_weights_at(sums, now_us, rule)))
    return min(float(SCORE_MAX), max(0.0, total))


def score_of_facts(facts: Mapping[str, str], *, rule: PointsRule, model: Model | None = None) -> Score:
    """The same score from the facts stored with a decision: the replay, identical to the bit."""
    weights = ((line, facts.get(f"weight.{line.key}")) for line in rule.lines)
    engagement = rule.engagement((line, float(weight)) for line, weight in weights if weight is not None)
    pointed = points_score(rule.fit(facts), engagement)
    return pointed if model is None else _by_model(pointed, facts, rule=rule, model=model)


def points_score(fit: Sequence[tuple[str, float]], engagement: Sequence[tuple[str, float]]) -> Score:
    """Score = clamp(fit + engagement, 0, 100) from the unclamped sums, each number rounded half up."""
    lines = rounded([*fit, *engagement])
    total = sum([points for _, points in lines])
    score = clamp(total)
    if score != total:
        lines.append(("clamp", score - total))
    return Score(
        score,
        clamp(shown(fsum([points for _, points in fit]))),
        clamp(shown(fsum([points for _, points in engagement]))),
        tuple([line for line in lines if line[1]]),
    )


def rounded(parts: Sequence[tuple[str, float]]) -> list[tuple[str, int]]:
    """Integers by largest remainder: they add up to the rounded sum, and none is a whole point off its part."""
    floors = [floor(points) for _, points in parts]
    spare = shown(fsum([points for _, points in parts])) - sum(floors)
    if spare:
        by_rest = sorted(range(len(parts)), key=lambda index: (floors[index] - parts[index][1], index))
        for index in by_rest[:spare]:
            floors[index] += 1
    return [(name, points) for (name, _), points in zip(parts, floors, strict=True)]


def shown(points: float) -> int:
    """The displayed integer of a sum of points: half up, so that 64.5 reads and qualifies as 65."""
    return floor(points + 0.5)


def clamp(points: int) -> int:
    """Within 0..100."""
    return min(SCORE_MAX, max(0, points))


def top_reasons(lines: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The lines that weigh most, either way; of equals the first of the agreement."""
    order = sorted(range(len(lines)), key=lambda index: (-abs(lines[index][1]), index))
    return tuple(lines[index] for index in order[:REASONS_SHOWN])


def _weights_at(sums: Sums, now_us: int, rule: PointsRule) -> list[tuple[Line, float]]:
    tallies = sums.tallies
    return [
        (line, decayed(tallies[line.key].weight, now_us, half_life=line.half_life)) for line in rule.present(tallies)
    ]


def _by_model(pointed: Score, facts: Mapping[str, str], *, rule: PointsRule, model: Model) -> Score:
    """Score = clamp(65 + S - S_T, 0, 100), lines = scale, base, signed points, bins, clamp (SCORING section 5)."""
    card = model.card
    p_win = card.p_win(pointed.points, facts)
    if card.family == "points_platt":
        return Score(pointed.score, pointed.fit, pointed.engagement, pointed.lines, p_win, model.model_id)
    lines = [
        ("model:scale", shown(rule.criteria.thresholds.qualify - total_of(model.p_threshold))),
        ("model:base", card.base),
        ("model:points", card.signed_part(pointed.points)),
        *((f"model:{fact}", points) for fact, points in card.reasons(facts).items()),
    ]
    total = sum(points for _, points in lines)
    score = clamp(total)
    if score != total:
        lines.append(("clamp", score - total))
    kept = tuple((name, points) for name, points in lines if points)
    return Score(score, pointed.fit, pointed.engagement, kept, p_win, model.model_id)
