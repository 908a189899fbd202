"""Decides what is known of a person as of a moment: activities folded into sums, sums of a tree joined.

Folding is exact and commutes (integer weights, counts, maxima), so order, repeats taken out by id, and delays leave no
trace. An activity counts from min(occurred_at, recorded_at): a sender's fast clock can make nobody's interest fresher.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.decay import DAY_US, Weight, decayed, weight_of
from shared.ids import ActivityId, LeadId

__all__ = ["NO_SUMS", "Activity", "Ask", "KindCount", "Sums", "Tally", "fold", "fold_as_of", "join", "sum_facts"]

HUMAN_LEAST = 0.5  # below it the activity is software's: kept and counted, worth nothing (GLOSSARY, machine activity)


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity as scoring keeps it. Instants in microseconds UTC; human as judged at judged_us (0: as recorded)."""

    activity_id: ActivityId
    member_id: LeadId
    kind: str
    content: str | None
    is_hard: bool | None
    verified_by: str
    occurred_us: int
    recorded_us: int
    human: float
    judged_us: int = 0

    @property
    def known_us(self) -> int:
        """When we learned what we know of it: of its recording, or of the last judgement of `human`."""
        return max(self.recorded_us, self.judged_us)

    @property
    def counts_from_us(self) -> int:
        """From when it is worth something."""
        return min(self.occurred_us, self.recorded_us)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one line of the agreement has seen: exact weight, human activities, the last of them, what it rests on."""

    weight: Weight
    count: int
    last_us: int
    known_us: int


@dataclass(frozen=True, slots=True)
class KindCount:
    """How often one kind was seen: in all, by people, the last one by a person (0: never), what it rests on."""

    count: int
    human: int
    last_us: int
    known_us: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The newest request for a conversation: when we learned it, when it was made, by which activity."""

    known_us: int
    occurred_us: int
    activity_id: ActivityId


@dataclass(frozen=True, slots=True)
class Sums:
    """Everything folded from the activities of one member, or joined over a tree; keyed by line and by kind."""

    tallies: Mapping[str, Tally] = field(default_factory=dict)
    kinds: Mapping[str, KindCount] = field(default_factory=dict)
    ask: Ask | None = None
    first_us: int | None = None

    @property
    def last_human_us(self) -> int:
        """When a person last did anything; 0 when never."""
        return max((each.last_us for each in self.kinds.values()), default=0)


NO_SUMS = Sums()


def fold(sums: Sums, activities: Iterable[Activity], *, rule: PointsRule) -> Sums:
    """The sums with further activities, each of an id not folded before; any order gives the same sums."""
    tallies, kinds = dict(sums.tallies), dict(sums.kinds)
    ask, first = sums.ask, sums.first_us
    for activity in activities:
        at, known, is_human = activity.counts_from_us, activity.known_us, activity.human >= HUMAN_LEAST
        first = at if first is None or at < first else first
        seen = kinds.get(activity.kind)
        own = KindCount(1, int(is_human), at if is_human else 0, known)
        kinds[activity.kind] = own if seen is None else _add_count(seen, own)
        if not is_human:
            continue
        match = rule.match(activity.kind, activity.content, activity.is_hard, activity.verified_by)
        for line in match.lines:
            own_tally = Tally(weight_of(at, human=activity.human, half_life=line.half_life), 1, at, known)
            tally = tallies.get(line.key)
            tallies[line.key] = own_tally if tally is None else _add(tally, own_tally)
        if match.is_hand_raise:
            ask = _newer(ask, Ask(known, at, activity.activity_id))
    return Sums(tallies, kinds, ask, first)


def fold_as_of(activities: Iterable[Activity], as_of_us: int, *, rule: PointsRule) -> Sums:
    """facts(lead, as_of): only what was recorded, and had happened, by then. Bit-identical whatever is added later."""
    return fold(NO_SUMS, (each for each in activities if each.recorded_us <= as_of_us), rule=rule)


def join(parts: Iterable[Sums]) -> Sums:
    """The sums of a tree: weights and counts add up, of instants the latest counts (of the first, the earliest)."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    tallies: dict[str, Tally] = {}
    kinds: dict[str, KindCount] = {}
    joined = NO_SUMS
    for part in listed:
        for key, tally in part.tallies.items():
            tallies[key] = _add(tallies[key], tally) if key in tallies else tally
        for kind, count in part.kinds.items():
            kinds[kind] = _add_count(kinds[kind], count) if kind in kinds else count
        firsts = [first for first in (joined.first_us, part.first_us) if first is not None]
        joined = replace(joined, ask=_newer(joined.ask, part.ask), first_us=min(firsts, default=None))
    return replace(joined, tallies=tallies, kinds=kinds)


def sum_facts(sums: Sums, now_us: int, *, rule: PointsRule) -> dict[str, tuple[str, int]]:
    """The engagement facts by name, each (value as text, known_us): weight.<line>, count.<kind>, days_since.<kind>.

    A weight is written with all its digits, so a stored decision scores again to the bit.
    """
    found: dict[str, tuple[str, int]] = {}
    for line in rule.lines:
        tally = sums.tallies.get(line.key)
        if tally is not None:
            value = decayed(tally.weight, now_us, half_life=line.half_life)
            found[f"weight.{line.key}"] = (repr(value), tally.known_us)
    for kind, count in sorted(sums.kinds.items()):
        found[f"count.{kind}"] = (str(count.human), count.known_us)
        if count.human:
            days = max(0, now_us - count.last_us) // DAY_US
            found[f"days_since.{kind}"] = (str(days), count.known_us)
    return found


def _add(left: Tally, right: Tally) -> Tally:
    return Tally(
        left.weight.plus(right.weight),
        left.count + right.count,
        max(left.last_us, right.last_us),
        max(left.known_us, right.known_us),
    )


def _add_count(left: KindCount, right: KindCount) -> KindCount:
    return KindCount(
        left.count + right.count,
        left.human + right.human,
        max(left.last_us, right.last_us),
        max(left.known_us, right.known_us),
    )


def _newer(left: Ask | None, right: Ask | None) -> Ask | None:
    """The newer by when we learned it; the id decides between equals, so that order never does."""
    if left is None or right is None:
        return left or right
    return max(left, right, key=lambda ask: (ask.known_us, ask.occurred_us, ask.activity_id.int))
