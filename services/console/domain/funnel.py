"""The funnel as drawn: steps with counts, the share that went on, its interval, and the width of the bar.

A rate of fewer than 5 cases is not shown and one of fewer than 30 carries its interval: small numbers look like trends.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.domain.durations import span_text
from services.console.domain.words import DASH, label

__all__ = ["BAR_WIDTH_MAX", "Funnel", "FunnelStep", "funnel_of", "interval", "rate_text"]

_SHOW_FROM = 5
_INTERVAL_BELOW = 30
_Z_95 = 1.959964  # two-sided 95 % of the normal distribution
BAR_WIDTH_MAX = 620


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step: how many reached it, the share of the step before, the median time between the two.

    The width of its bar is in parts of BAR_WIDTH_MAX.
    """

    name: str
    title: str
    count: int
    rate: str
    interval: str
    share_of_first: str
    median: str
    bar_width: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """The steps in order, and the ways off (detours)."""

    steps: tuple[FunnelStep, ...]
    detours: tuple[tuple[str, str, int], ...]
    definition: str
    as_of: str

    @property
    def is_empty(self) -> bool:
        """Whether nobody has entered the funnel."""
        return not any(step.count for step in self.steps)


def funnel_of(report: Mapping[str, Any]) -> Funnel:
    """Read feedback's report (`steps`: name, count, median_seconds; `detours`) into a picture."""
    raw: Sequence[Mapping[str, Any]] = report.get("steps") or report.get("stages") or ()
    counts = [int(step.get("count", step.get("leads", 0))) for step in raw]
    most = max(counts, default=0)
    steps = []
    for index, step in enumerate(raw):
        before = counts[index - 1] if index else 0
        steps.append(_step(step, index, count=counts[index], before=before, first=counts[0], most=most))
    detours = tuple(
        (str(item["name"]), label("state", item["name"]), int(item.get("count", item.get("leads", 0))))
        for item in _named(report.get("detours"))
    )
    definition = str(report.get("definition") or "Each lead counts once per step it reached in the period.")
    return Funnel(tuple(steps), detours, definition, str(report.get("as_of") or ""))


def rate_text(part: int, whole: int) -> str:
    """A share in per cent; a dash below 5 cases."""
    return f"{round(100 * part / whole)} %" if whole >= _SHOW_FROM else DASH


def interval(part: int, whole: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; whole > 0. Source: Wilson 1927, score interval without correction."""
    share = part / whole
    square = _Z_95 * _Z_95
    centre = (share + square / (2 * whole)) / (1 + square / whole)
    half = _Z_95 / (1 + square / whole) * math.sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    return max(0.0, centre - half), min(1.0, centre + half)


def _step(step: Mapping[str, Any], index: int, *, count: int, before: int, first: int, most: int) -> FunnelStep:
    name = str(step.get("name") or step.get("stage"))
    spread = ""
    if index and _SHOW_FROM <= before < _INTERVAL_BELOW and count <= before:
        low, high = interval(count, before)
        spread = f"{round(100 * low)}{DASH}{round(100 * high)} %"
    seconds = step.get("median_seconds")
    width = round(BAR_WIDTH_MAX * count / most) if most else 0
    return FunnelStep(
        name=name,
        title=str(step.get("title") or label("step", name)),
        count=count,
        rate=rate_text(count, before) if index else "",
        interval=spread,
        share_of_first=rate_text(count, first) if index else "",
        median=span_text(float(seconds)) if seconds is not None else "",
        bar_width=max(width, 2 if count else 0),
    )


def _named(value: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401  # JSON of another service
    if isinstance(value, Mapping):
        return [{"name": name, "count": count} for name, count in value.items()]
    return value if isinstance(value, list) else ()
