"""The card of a model: integer points per line that add up to S, and the win probability S stands for.

The card is the model: what is shown decides. S = base + a * points + sum of lines, p_win = 1 / (1 + 2 ** (-S / 20)),
SCORING 5. `points` are the signed points of the agreement: clamp(fit + engagement, 0, 100) of the halves as shown.
Families: `points_platt` has no lines, `scorecard` has one per fact. Pure; feedback writes cards, scoring serves them.
"""

from bisect import bisect_right
from collections.abc import Mapping
from math import log2
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# Twenty points double the odds, for every card ever published: a score keeps its meaning over re-tunes.
POINTS_PER_DOUBLING = 20
# Beyond this the probability is 0 or 1 in double precision; the bound keeps 2 ** x finite.
TOTAL_MAX = 10_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class CategoryPoints(_Part):
    """Points of one value of a category."""

    value: str = Field(description="the value of the fact, as text")
    points: int = Field(description="signed points")


class CardLine(_Part):
    """One fact of the card: bins of a number, or the values of a category."""

    fact: str = Field(description="name of the fact in the catalog of facts")
    kind: Literal["number", "category"] = Field(description="how the value is read")
    cuts: tuple[float, ...] = Field(default=(), description="number: ascending; the cut itself is in the bin above")
    points: tuple[int, ...] = Field(default=(), description="number: points of each bin, one more than cuts")
    values: tuple[CategoryPoints, ...] = Field(default=(), description="category: points per value")
    rare: int = Field(default=0, description="category: points of a value not listed")
    missing: int = Field(default=0, description="points when the fact is not known")

    def points_of(self, value: str | None) -> int:
        """Points of one value; None is a fact that is not known, an unreadable number counts as not known."""
        if value is None:
            return self.missing
        if self.kind == "category":
            return next((each.points for each in self.values if each.value == value), self.rare)
        number = number_of(value)
        return self.missing if number is None else self.points[bisect_right(self.cuts, number)]


class ModelCard(_Part):
    """A fitted scorer as both teams read it."""

    family: Literal["points_platt", "scorecard"] = Field(description="how it was fitted")
    agreement_version: int = Field(description="version of the agreement whose signed points it reads")
    base: int = Field(description="points every lead starts with")
    a: float = Field(ge=0, description="weight of the signed points, two decimals; 1: twenty points double the odds")
    lines: tuple[CardLine, ...] = Field(default=(), description="one per fact, none in family points_platt")

    def total(self, points: int, facts: Mapping[str, str]) -> int:
        """S of one lead: base + a * points rounded half up + the points of every line."""
        return self.base + self.signed_part(points) + sum(self.reasons(facts).values())

    def signed_part(self, points: int) -> int:
        """What the signed points bring: a * points, rounded half up so that the parts stay integers."""
        return (round(self.a * 100) * points * 2 + 100) // 200

    def reasons(self, facts: Mapping[str, str]) -> dict[str, int]:
        """Points of each line by the name of its fact, in the order of the card."""
        return {line.fact: line.points_of(facts.get(line.fact)) for line in self.lines}

    def p_win(self, points: int, facts: Mapping[str, str]) -> float:
        """Calibrated chance of a win within the horizon."""
        return probability_of(self.total(points, facts))


def signed_points(fit: int, engagement: int) -> int:
    """The points a card reads: clamp(fit + engagement, 0, 100), from the halves stored with the decision."""
    return min(100, max(0, fit + engagement))


def probability_of(total: float) -> float:
    """p_win = 1 / (1 + 2 ** (-S / 20))."""
    bounded = min(TOTAL_MAX, max(-TOTAL_MAX, total))
    return float(1.0 / (1.0 + 2.0 ** (-bounded / POINTS_PER_DOUBLING)))


def total_of(probability: float) -> float:
    """S of a probability in (0, 1): 20 * log2(p / (1 - p))."""
    return POINTS_PER_DOUBLING * log2(probability / (1.0 - probability))


def number_of(value: str) -> float | None:
    """The number a fact's text stands for: true is 1, false is 0; None when it is none or not finite."""
    if value in {"true", "false"}:
        return float(value == "true")
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
