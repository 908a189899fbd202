"""Decides when a score will next cross a threshold while nothing happens: the instant at which to look again.

The score between activities is fit + P(t) + N(t): P falls, N (negative points) rises. An interval whose bounds cannot
reach the threshold is left out, the others are halved down to a second: no crossing is passed over, nothing sweeps.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.decay import DAY_US, decayed
from services.scoring.domain.facts import Sums

__all__ = ["HORIZON_US", "RESOLUTION_US", "Course", "course_of", "next_below", "next_qualifying"]

RESOLUTION_US = 1_000_000
# Looked at again at the horizon: a half-life of years must not make the search endless.
HORIZON_US = 400 * DAY_US
# Intervals looked at before giving up and looking again early; about 60 are usual.
_STEPS_MAX = 2_000

Bound = Callable[[int, int], bool]


@dataclass(frozen=True, slots=True)
class Course:
    """How the halves run while nothing happens: fit stands, positive(t) never rises, negative(t) never falls."""

    fit: float
    positive: Callable[[int], float]
    negative: Callable[[int], float]
    has_negative: bool


def course_of(sums: Sums, fit: float, *, rule: PointsRule) -> Course:
    """The course of a person's points by the points rule, caps and floor included."""
    last = len(rule.groups)
    present = [(line, sums.tallies[line.key].weight) for line in rule.present(sums.tallies)]
    halves = {
        is_negative: [(line, weight) for line, weight in present if (line.group == last) is is_negative]
        for is_negative in (False, True)
    }

    def half(now_us: int, *, is_negative: bool) -> float:
        weights = ((line, decayed(weight, now_us, half_life=line.half_life)) for line, weight in halves[is_negative])
        return sum(points for _, points in rule.engagement(weights))

    return Course(
        fit=fit,
        positive=lambda now_us: half(now_us, is_negative=False),
        negative=lambda now_us: half(now_us, is_negative=True),
        has_negative=bool(halves[True]),
    )


def next_below(course: Course, threshold: int, *, from_us: int) -> int | None:
    """First instant >= from_us (to a second, never early) at which the shown score is below the threshold."""
    line = threshold - 0.5

    def holds(at: int) -> bool:
        return course.fit + course.positive(at) + course.negative(at) < line

    def may_hold(start: int, end: int) -> bool:
        return course.fit + course.positive(end) + course.negative(start) < line

    if not course.has_negative:
        return _only(holds, from_us=from_us)
    return _first(holds, may_hold, from_us=from_us)


def next_qualifying(course: Course, threshold: int, engagement_floor: int, *, from_us: int) -> int | None:
    """First instant >= from_us at which score and engagement reach their marks; only fading negatives lift it."""
    line, least = threshold - 0.5, engagement_floor - 0.5

    def holds(at: int) -> bool:
        engagement = course.positive(at) + course.negative(at)
        return course.fit + engagement >= line and engagement >= least

    def may_hold(start: int, end: int) -> bool:
        engagement = course.positive(start) + course.negative(end)
        return course.fit + engagement >= line and engagement >= least

    if holds(from_us):
        return from_us
    return _first(holds, may_hold, from_us=from_us) if course.has_negative else None


def _only(holds: Callable[[int], bool], *, from_us: int) -> int | None:
    """The instant from which it holds, within a second, where it never ceases to: half the price of `_first`."""
    if holds(from_us):
        return from_us
    before, after = from_us, from_us + HORIZON_US
    if not holds(after):
        return None
    while after - before > RESOLUTION_US:
        middle = (before + after) // 2
        before, after = (before, middle) if holds(middle) else (middle, after)
    return after


def _first(holds: Callable[[int], bool], may_hold: Bound, *, from_us: int) -> int | None:
    """Leftmost instant at which it holds, within a second; the start of what is unexplored when that takes too long."""
    if holds(from_us):
        return from_us
    waiting = [(from_us, from_us + HORIZON_US)]
    for _ in range(_STEPS_MAX):
        if not waiting:
            return None
        start, end = waiting.pop()
        if not may_hold(start, end):
            continue
        if end - start <= RESOLUTION_US:
            if holds(end):
                return end
            continue  # the bounds allowed it, the instants do not: a touch below the resolution
        middle = (start + end) // 2
        waiting += [(middle, end), (start, middle)]
    return waiting[-1][0] + RESOLUTION_US if waiting else None
