"""Decides how many points the signed criteria give: compiled once per agreement version, read per lead.

engagement = sum of groups of min(cap, lines of min(cap, points * weight)), negative points with a floor; fit = points
of attributes. Caps act when reading, never when adding, so sums stay exact (SCORING section 2).
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.scoring.domain.decay import half_life_us
from shared.contracts.agreement import AccountCriteria, Criteria, EngagementLine, Exploration, NegativeLine

__all__ = ["NEGATIVE", "Line", "Match", "PointsRule", "Thresholds", "compile_rule"]

NEGATIVE = "negative"
_UNKNOWN = ""  # of an attribute: no criterion gives points for nothing
# Attributes of the organisation, not of the person: what an account's own fit is made of (SCORING section 4).
FIRMOGRAPHIC = frozenset({"is_target_industry", "industry", "staff_band", "is_competitor", "account_country"})
Signature = tuple[str, str | None, bool | None, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of engagement or of the negative points. `name` is shown, `key` names its sum (with its half-life)."""

    name: str
    key: str
    group: int
    points: float
    cap: float | None
    half_life: int


@dataclass(frozen=True, slots=True)
class Match:
    """Which lines one activity feeds, whether it asks for a conversation, and whether it does either."""

    lines: tuple[Line, ...]
    is_hand_raise: bool
    is_counted: bool


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a score qualifies and demotes; floors already those of the lead's entry channel."""

    qualify: int
    demote: int
    dwell_us: int
    fit_floor: int
    engagement_floor: int


@dataclass(frozen=True, slots=True)
class PointsRule:
    """The signed criteria of one product, compiled. `print` is equal when the same sums serve both rules."""

    product: str
    criteria: Criteria
    lines: tuple[Line, ...]
    groups: tuple[tuple[str, float], ...]
    negative_floor: float
    print: str
    _places: Mapping[str, int] = field(compare=False, repr=False)
    _worth: tuple[tuple[str, Mapping[str, tuple[str, float]]], ...] = field(compare=False, repr=False)
    _negative: frozenset[str] = field(compare=False, repr=False)
    _matches: dict[Signature, Match] = field(default_factory=dict, compare=False, repr=False)
    _thresholds: dict[str | None, "Thresholds"] = field(default_factory=dict, compare=False, repr=False)

    @property
    def hard_rules(self) -> tuple[str, ...]:
        """The exclusions that are agreed, in their order."""
        return tuple(self.criteria.hard_rules)

    @property
    def account(self) -> AccountCriteria:
        """When an account qualifies."""
        return self.criteria.account

    @property
    def exploration(self) -> Exploration:
        """The share drawn by chance."""
        return self.criteria.exploration

    def match(self, kind: str, content: str | None, is_hard: bool | None, verified_by: str) -> Match:  # noqa: FBT001
        """The lines an activity of this signature feeds: the most specific of engagement and of the negative points."""
        signature = (kind, content, is_hard, verified_by)
        found = self._matches.get(signature)
        if found is None:
            found = _match(self, signature)
            if len(self._matches) < _MATCHES_MAX:
                self._matches[signature] = found
        return found

    def present(self, keys: Iterable[str]) -> list[Line]:
        """The lines of these keys, in the agreement's order; keys of other rules are left out."""
        places = self._places
        found = sorted([places[key] for key in keys if key in places])
        return [self.lines[place] for place in found]

    def thresholds(self, entry_channel: str | None) -> Thresholds:
        """The thresholds, with the floors agreed for the lead's entry channel."""
        known = self._thresholds.get(entry_channel)
        if known is None:
            known = self._thresholds_of(entry_channel)
            if len(self._thresholds) < _MATCHES_MAX:
                self._thresholds[entry_channel] = known
        return known

    def _thresholds_of(self, entry_channel: str | None) -> Thresholds:
        agreed = self.criteria.thresholds
        fit_floor, engagement_floor = agreed.fit_floor, agreed.engagement_floor
        for variant in self.criteria.entry_channels:
            if variant.channel == entry_channel:
                fit_floor = fit_floor if variant.fit_floor is None else variant.fit_floor
                if variant.engagement_floor is not None:
                    engagement_floor = variant.engagement_floor
        return Thresholds(
            agreed.qualify, agreed.demote, round(agreed.dwell_hours * 3_600_000_000), fit_floor, engagement_floor
        )

    def fit(self, attributes: Mapping[str, str], *, is_account: bool = False) -> tuple[tuple[str, float], ...]:
        """Points of each attribute that has any, as (`fact=value`, points); is_account: firmographic ones alone."""
        found = []
        for fact, worth in self._worth:
            line = worth.get(attributes.get(fact, _UNKNOWN))
            if line is not None and (not is_account or fact in FIRMOGRAPHIC):
                found.append(line)
        return tuple(found)

    def has_negative(self, keys: Collection[str]) -> bool:
        """Whether any of these lines takes points."""
        return not self._negative.isdisjoint(keys)

    def engagement(self, weights: Iterable[tuple[Line, float]]) -> tuple[tuple[str, float], ...]:
        """Signed contributions of lines with their weights, in the order given, then of the caps that bound them.

        The caller gives the lines in the agreement's order: float sums, hence scores, then never depend on a row's.
        """
        found: list[tuple[str, float]] = []
        totals = [0.0] * (len(self.groups) + 1)
        for line, worth in weights:
            value = line.points * worth
            if line.cap is not None and value > line.cap:
                value = line.cap
            totals[line.group] += value
            found.append((line.name, value))
        for (name, cap), total in zip(self.groups, totals, strict=False):
            if total > cap:
                found.append((f"cap:{name}", cap - total))
        if totals[-1] < self.negative_floor:
            found.append((f"floor:{NEGATIVE}", self.negative_floor - totals[-1]))
        return tuple(found)


# Distinct signatures kept per rule: kinds times contents in practice; a hostile source must not grow it without end.
_MATCHES_MAX = 4096


def compile_rule(criteria: Criteria) -> PointsRule:
    """The points rule of signed criteria. Lines of 0 points are left out: an open is counted, never scored."""
    lines: list[Line] = []
    for index, group in enumerate(criteria.engagement):
        lines.extend(_line(line, group=index, cap=line.cap_points) for line in group.lines if line.points)
    last = len(criteria.engagement)
    lines.extend(_line(line, group=last, cap=None) for line in criteria.negative.lines)
    signed = [line.model_dump(mode="json") for group in criteria.engagement for line in group.lines if line.points]
    signed += [line.model_dump(mode="json") for line in criteria.negative.lines]
    kept = [{key: value for key, value in line.items() if key not in {"points", "cap"}} for line in signed]
    raisers = [one.model_dump(mode="json") for one in criteria.hand_raisers]
    lines = _with_own_keys(lines)
    keys = [line.key for line in lines]
    return PointsRule(
        product=criteria.product,
        criteria=criteria,
        lines=tuple(lines),
        groups=tuple((group.group, group.cap) for group in criteria.engagement),
        negative_floor=criteria.negative.floor,
        _places={line.key: place for place, line in enumerate(lines)},
        _worth=tuple(
            (
                one.fact,
                {
                    value: (f"{one.fact}={value}", float(points))
                    for value, points in one.points.items()
                    if points and value
                },
            )
            for one in criteria.fit
        ),
        _negative=frozenset(line.key for line in lines if line.group == last),
        print=hashlib.sha256(repr((keys, kept, raisers)).encode()).hexdigest()[:16],
    )


def _with_own_keys(lines: list[Line]) -> list[Line]:
    """The same line written twice must not share one sum: the second is never fed, since the first of equals is."""
    seen: dict[str, int] = {}
    found = []
    for line in lines:
        seen[line.key] = seen.get(line.key, 0) + 1
        found.append(replace(line, key=f"{line.key}#{seen[line.key]}") if seen[line.key] > 1 else line)
    return found


def _line(line: EngagementLine | NegativeLine, *, group: int, cap: float | None) -> Line:
    marks = [f"{line.half_life_days:g}d"]
    if isinstance(line, EngagementLine):
        marks += sorted(line.verified_by)
    else:
        marks.append({None: NEGATIVE, True: f"{NEGATIVE}_hard", False: f"{NEGATIVE}_soft"}[line.is_hard])
    key = "@".join((line.name, *marks))
    return Line(line.name, key, group, line.points, cap, half_life_us(line.half_life_days))


def _match(rule: PointsRule, signature: Signature) -> Match:
    kind, content, is_hard, verified_by = signature
    criteria = rule.criteria
    engagement = [line for group in criteria.engagement for line in group.lines if line.points]
    fits = [
        line.kind.value == kind
        and line.content in {None, content}
        and (not line.verified_by or verified_by in line.verified_by)
        for line in engagement
    ]
    fits_negative = [
        line.kind.value == kind and line.content in {None, content} and line.is_hard in {None, is_hard}
        for line in criteria.negative.lines
    ]
    marks = [(line.content is not None) + bool(line.verified_by) for line in engagement]
    marks_negative = [(line.content is not None) + (line.is_hard is not None) for line in criteria.negative.lines]
    count = len(engagement)
    chosen = [
        rule.lines[offset + index]
        for offset, index in ((0, _most_specific(fits, marks)), (count, _most_specific(fits_negative, marks_negative)))
        if index is not None
    ]
    raises = any(one.kind.value == kind and one.content in {None, content} for one in criteria.hand_raisers)
    return Match(tuple(chosen), raises, is_counted=bool(chosen) or raises)


def _most_specific(fits: list[bool], marks: list[int]) -> int | None:
    """Index of the fitting line with the most conditions, of equals the first: a general one never hides it."""
    found = [index for index, is_fit in enumerate(fits) if is_fit]
    return max(found, key=lambda index: (marks[index], -index), default=None)
