"""Decides the displayed score and its reasons: integer contributions that add up to it, to the point.

What is shown is what decides (SCORING, rule 8). Points are rounded by largest remainder; caps, floors and the clamp
are lines of their own. A promoted `points_platt` model adds p_win and leaves the score; a `scorecard` replaces it, and
its lines still name the criteria and acts that counted, at the weight the model gives them.
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
    "CHANCE",
    "START",
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
# Lines of the model that say the same of every lead: where it starts, and what a score is worth as a chance.
START, CHANCE = "model:start", "model:chance"
_OF_ALL = (START, CHANCE)
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
        rests = sorted([(below - parts[index][1], index) for index, below in enumerate(floors)])
        for _, index in rests[:spare]:
            floors[index] += 1
    return [(name, points) for (name, _), points in zip(parts, floors, strict=True)]


def shown(points: float) -> int:
    """The displayed integer of a sum of points: half up, so that 64.5 reads and qualifies as 65."""
    return floor(points + 0.5)


def clamp(points: int) -> int:
    """Within 0..100."""
    return min(SCORE_MAX, max(0, points))


def top_reasons(lines: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The lines that weigh most, either way; of equals the first of the agreement. Where all start is no reason."""
    own = [line for line in lines if not line[0].startswith(_OF_ALL)]
    return tuple(sorted(own, key=_by_size)[:REASONS_SHOWN])


def _by_size(line: tuple[str, int]) -> int:
    return -abs(line[1])


def _weights_at(sums: Sums, now_us: int, rule: PointsRule) -> list[tuple[Line, float]]:
    tallies = sums.tallies
    return [
        (line, decayed(tallies[line.key].weight, now_us, half_life=line.half_life)) for line in rule.present(tallies)
    ]


def _by_model(pointed: Score, facts: Mapping[str, str], *, rule: PointsRule, model: Model) -> Score:
    """Score = clamp(65 + S - S_T, 0, 100) (SCORING section 5).

    Lines: a * signed points by the criteria they come from, bins by their facts, where every lead starts, clamp.
    """
    card = model.card
    p_win = card.p_win(pointed.points, facts)
    percent = floor(100 * p_win + 0.5)
    if card.family == "points_platt":
        told = (*pointed.lines, (f"{CHANCE}={percent}", 0))
        return Score(pointed.score, pointed.fit, pointed.engagement, told, p_win, model.model_id)
    weighed = rounded([(_apart(name), card.a * points) for name, points in pointed.lines])
    learned = [(_bin_name(fact, facts.get(fact)), points) for fact, points in card.reasons(facts).items()]
    scale = shown(rule.criteria.thresholds.qualify - total_of(model.p_threshold))
    # What the parts leave of the whole by rounding and by the bounds of the halves is nobody's criterion.
    rest = card.signed_part(pointed.points) - sum([points for _, points in weighed])
    lines = [*weighed, *learned, (f"{START}={percent}", scale + card.base + rest)]
    total = sum([points for _, points in lines])
    score = clamp(total)
    if score != total:
        lines.append(("clamp", score - total))
    kept = tuple([line for line in lines if line[1] or line[0].startswith(START)])
    return Score(score, pointed.fit, pointed.engagement, kept, p_win, model.model_id)


def _apart(name: str) -> str:
    """A line of the points; their own clamp is not that of the score."""
    return "clamp:points" if name == "clamp" else name


def _bin_name(fact: str, value: str | None) -> str:
    """The line of a bin: with the fact's value where it is known, of a weight (all digits) only about."""
    if value is None:
        return f"model:{fact}"
    return f"model:{fact}={float(value):.1f}" if fact.startswith("weight.") else f"model:{fact}={value}"
