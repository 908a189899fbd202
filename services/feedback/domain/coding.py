"""How a fact becomes columns a linear fit can read, and how fitted weights become the lines of a card.

Numbers are cut at the 5 % quantiles of the training rows and coded in order, one step per cut, so that neighbouring
bins shrink to each other; missing has its own indicator. Categories with ten rows have one, others are `rare`. No
raw number reaches a model: outside the training range the last bin holds. SCORING 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.feedback.domain.labels import Array
from shared.contracts.model_card import CardLine, CategoryPoints, number_of

# Up to 19 cuts: every twentieth part of the training rows is a bin of its own where values differ.
QUANTILES = tuple(i / 20 for i in range(1, 20))
CATEGORY_ROWS_MIN = 10

Column = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class CodedFact:
    """A fact's coding, learned from training rows: cuts of a number, or the listed values of a category."""

    name: str
    is_number: bool
    cuts: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    has_missing: bool = False
    has_rare: bool = False

    @property
    def width(self) -> int:
        """Columns it takes in the design."""
        return len(self.cuts) + len(self.values) + self.has_rare + self.has_missing


def code(name: str, column: Column) -> CodedFact:
    """The coding of one fact from its training values; a number when every known value reads as one."""
    known = [value for value in column if value is not None]
    has_missing = len(known) < len(column)
    numbers = [number_of(value) for value in known]
    if known and all(number is not None for number in numbers):
        cuts = np.unique(np.quantile(np.array(numbers, dtype=np.float64), QUANTILES))
        # A cut at the least value would be a step that is always 1, a second intercept.
        lowest = min(number for number in numbers if number is not None)
        kept = tuple(float(cut) for cut in cuts if cut > lowest) or _only_step(numbers)
        return CodedFact(name=name, is_number=True, cuts=kept, has_missing=has_missing)
    counts = _counts(known)
    listed = tuple(value for value, rows in counts.items() if rows >= CATEGORY_ROWS_MIN)
    return CodedFact(
        name=name,
        is_number=False,
        values=listed,
        has_rare=any(rows < CATEGORY_ROWS_MIN for rows in counts.values()),
        has_missing=has_missing,
    )


def design(fact: CodedFact, column: Column) -> Array:
    """Rows times columns of 0 and 1: steps or indicators, then rare, then missing."""
    coded = np.zeros((len(column), fact.width))
    if fact.is_number:
        numbers = np.array([_number(value) for value in column], dtype=np.float64)
        for at, cut in enumerate(fact.cuts):
            coded[:, at] = numbers >= cut
        if fact.has_missing:
            coded[:, -1] = np.isnan(numbers)
        return coded
    position = {value: at for at, value in enumerate(fact.values)}
    rare = len(fact.values) if fact.has_rare else None
    absent = fact.width - 1 if fact.has_missing else None
    for row, value in enumerate(column):
        column_at = absent if value is None else position.get(value, rare)
        if column_at is not None:
            coded[row, column_at] = 1.0
    return coded


def export(facts: Sequence[CodedFact], points: Array) -> tuple[CardLine, ...]:
    """Card lines of the fitted facts; `points` are the weights in points, in the order of the design."""
    lines: list[CardLine] = []
    start = 0
    for fact in facts:
        own = points[start : start + fact.width]
        start += fact.width
        missing = round(float(own[-1])) if fact.has_missing else 0
        if fact.is_number:
            cuts, bins = _merged(fact.cuts, np.concatenate([[0.0], np.cumsum(own[: len(fact.cuts)])]))
            lines.append(CardLine(fact=fact.name, kind="number", cuts=cuts, points=bins, missing=missing))
            continue
        values = tuple(
            CategoryPoints(value=value, points=round(float(own[at]))) for at, value in enumerate(fact.values)
        )
        rare = round(float(own[len(fact.values)])) if fact.has_rare else 0
        lines.append(CardLine(fact=fact.name, kind="category", values=values, rare=rare, missing=missing))
    return tuple(lines)


def _merged(cuts: Sequence[float], bins: Array) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Bins rounded, neighbours of equal points merged."""
    rounded = [round(float(each)) for each in bins]
    kept = [at for at, (below, above) in enumerate(pairwise(rounded)) if below != above]
    return tuple(cuts[at] for at in kept), (rounded[0], *(rounded[at + 1] for at in kept))


def _number(value: str | None) -> float:
    number = None if value is None else number_of(value)
    return float("nan") if number is None else number


def _only_step(numbers: Sequence[float | None]) -> tuple[float, ...]:
    """A number that is nearly always the same keeps one step, at its next greater value."""
    distinct = sorted({number for number in numbers if number is not None})
    return (distinct[1],) if len(distinct) > 1 else ()


def _counts(known: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in known:
        counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items()))
