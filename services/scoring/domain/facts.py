"""Decides what is known of a person as of a moment: activities folded into sums, sums of a tree joined.

Folding is exact and commutes (integer weights, counts, maxima), so order, repeats taken out by id, and delays leave no
trace. An activity counts from min(occurred_at, recorded_at): a sender's fast clock can make nobody's interest fresher.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.decay import DAY_US, Weight, decayed, weight_of
from shared.ids import ActivityId, LeadId

__all__ = [
    "HUMAN_LEAST",
    "NO_SUMS",
    "Activity",
    "Ask",
    "KindCount",
    "Sums",
    "Tally",
    "count_kinds",
    "fold",
    "fold_as_of",
    "is_relevant",
    "join",
    "join_counts",
    "sum_facts",
    "without",
]

HUMAN_LEAST = 0.5  # below it the activity is software's: kept and counted, worth nothing (GLOSSARY, machine activity)


class Activity(NamedTuple):
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


class Tally(NamedTuple):
    """What one line of the agreement has seen: exact weight, human activities, the last of them, what it rests on."""

    weight: Weight
    times: int
    last_us: int
    known_us: int


class KindCount(NamedTuple):
    """How often one kind was seen: in all, by people, the last one by a person (0: never), what it rests on."""

    times: int
    human: int
    last_us: int
    known_us: int


class Ask(NamedTuple):
    """The newest request for a conversation: when we learned it, when it was made, by which activity."""

    known_us: int
    occurred_us: int
    activity_id: ActivityId


class Sums(NamedTuple):
    """What the lines of a rule have seen of one member, or of a tree; and the newest ask."""

    tallies: Mapping[str, Tally]
    ask: Ask | None = None

    @property
    def last_us(self) -> int:
        """When a person last did anything that counts; 0 when never."""
        return max([tally.last_us for tally in self.tallies.values()], default=0)

    @property
    def known_us(self) -> int:
        """When we learned of the newest activity that counts; 0 when there is none."""
        return max([tally.known_us for tally in self.tallies.values()], default=0)


NO_SUMS = Sums({})


def is_relevant(activity: Activity, *, rule: PointsRule) -> bool:
    """Whether an activity moves any sum; most do not, and are only kept (opens, pages worth nothing, software)."""
    match = rule.match(activity.kind, activity.content, activity.is_hard, activity.verified_by)
    return match.is_counted and activity.human >= HUMAN_LEAST


def fold(sums: Sums, activities: Iterable[Activity], *, rule: PointsRule) -> Sums:
    """The sums with further activities, each of an id not folded before; any order gives the same sums."""
    tallies, ask = dict(sums.tallies), sums.ask
    for activity in activities:
        if activity.human < HUMAN_LEAST:
            continue
        match = rule.match(activity.kind, activity.content, activity.is_hard, activity.verified_by)
        at, known = activity.counts_from_us, activity.known_us
        for line in match.lines:
            own = Tally(weight_of(at, human=activity.human, half_life=line.half_life), 1, at, known)
            tally = tallies.get(line.key)
            tallies[line.key] = own if tally is None else _add(tally, own)
        if match.is_hand_raise:
            ask = _newer(ask, Ask(known, at, activity.activity_id))
    return Sums(tallies, ask)


def without(sums: Sums, activities: Iterable[Activity], *, rule: PointsRule) -> Sums:
    """The sums as if these activities, folded before, had never been: weights and counts exactly.

    Of instants the latest stays while anything is left; an ask among them leaves none.
    """
    tallies, ask = dict(sums.tallies), sums.ask
    for activity in activities:
        if activity.human < HUMAN_LEAST:
            continue
        match = rule.match(activity.kind, activity.content, activity.is_hard, activity.verified_by)
        for line in match.lines:
            tally = tallies.pop(line.key, None)
            if tally is not None and tally.times > 1:
                own = weight_of(activity.counts_from_us, human=activity.human, half_life=line.half_life)
                tallies[line.key] = tally._replace(weight=tally.weight.minus(own), times=tally.times - 1)
        if ask is not None and ask.activity_id == activity.activity_id:
            ask = None
    return Sums(tallies, ask)


def fold_as_of(activities: Iterable[Activity], as_of_us: int, *, rule: PointsRule) -> Sums:
    """facts(lead, as_of): only what was recorded, and had happened, by then. Bit-identical whatever is added later."""
    return fold(NO_SUMS, (each for each in activities if each.recorded_us <= as_of_us), rule=rule)


def join(parts: Iterable[Sums]) -> Sums:
    """The sums of a tree: weights and counts add up, of instants and asks the latest counts."""
    tallies: dict[str, Tally] = {}
    ask: Ask | None = None
    for part in parts:
        for key, tally in part.tallies.items():
            tallies[key] = _add(tallies[key], tally) if key in tallies else tally
        ask = _newer(ask, part.ask)
    return Sums(tallies, ask)


def count_kinds(activities: Iterable[Activity]) -> dict[str, KindCount]:
    """How often each kind was seen, software told apart from people."""
    counts: dict[str, KindCount] = {}
    for activity in activities:
        is_human = activity.human >= HUMAN_LEAST
        own = KindCount(1, int(is_human), activity.counts_from_us if is_human else 0, activity.known_us)
        seen = counts.get(activity.kind)
        counts[activity.kind] = own if seen is None else _add_count(seen, own)
    return counts


def join_counts(parts: Iterable[Mapping[str, KindCount]]) -> dict[str, KindCount]:
    """The counts of a tree."""
    counts: dict[str, KindCount] = {}
    for part in parts:
        for kind, count in part.items():
            counts[kind] = _add_count(counts[kind], count) if kind in counts else count
    return counts


def sum_facts(
    sums: Sums, counts: Mapping[str, KindCount], now_us: int, *, rule: PointsRule
) -> dict[str, tuple[str, int]]:
    """The engagement facts by name, each (value as text, known_us): weight.<line>, count.<kind>, days_since.<kind>.

    A weight is written with all its digits, so a stored decision scores again to the bit.
    """
    found: dict[str, tuple[str, int]] = {}
    for line in rule.lines:
        tally = sums.tallies.get(line.key)
        if tally is not None:
            value = decayed(tally.weight, now_us, half_life=line.half_life)
            found[f"weight.{line.key}"] = (repr(value), tally.known_us)
    for kind, count in sorted(counts.items()):
        found[f"count.{kind}"] = (str(count.human), count.known_us)
        if count.human:
            days = max(0, now_us - count.last_us) // DAY_US
            found[f"days_since.{kind}"] = (str(days), count.known_us)
    return found


def _add(left: Tally, right: Tally) -> Tally:
    return Tally(
        left.weight.plus(right.weight),
        left.times + right.times,
        max(left.last_us, right.last_us),
        max(left.known_us, right.known_us),
    )


def _add_count(left: KindCount, right: KindCount) -> KindCount:
    return KindCount(
        left.times + right.times,
        left.human + right.human,
        max(left.last_us, right.last_us),
        max(left.known_us, right.known_us),
    )


def _newer(left: Ask | None, right: Ask | None) -> Ask | None:
    """The newer by when we learned it; the id decides between equals, so that order never does."""
    if left is None or right is None:
        return left or right
    return max(left, right, key=lambda ask: (ask.known_us, ask.occurred_us, ask.activity_id.int))
