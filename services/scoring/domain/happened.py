"""Decides when, in the world, what a decision rests on had happened; when we learned of it plays no part.

Walk back from now, newest first: the first thing the decision cannot do without dates it. Where time alone decided (a
dwell ended, points faded), the instant at which it did. A pure function of what is known, whatever order it came in.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.facts import Activity, Sums, fold, is_relevant, without
from services.scoring.domain.judge import verdict_on
from services.scoring.domain.member import Attributes, Link, Member, Permission, Record, with_record
from services.scoring.domain.person import Person, person_of
from services.scoring.domain.qualify import Standing, Verdict, draw_at
from services.scoring.domain.scorecard import Model
from shared.ids import LeadId

__all__ = ["STEPS_MAX", "Happened", "Holds", "Past", "crossed_us", "past_of", "person_crossed_us", "steps_for"]

# A decision that a hundred later things did not touch is dated by the oldest of them: it bounds the walk.
STEPS_MAX = 100
# So many looks at one person, 50 to 120 us each, take about a second: a transaction that is idle for 10 s is ended.
_LOOKS_MAX = 10_000
_LOOKS_OF_STEP = 2
_EVER = 0
_NO_MERGES: Mapping[LeadId, int] = {}

Holds = Callable[[int, int], bool]


class Happened(NamedTuple):
    """A record of a lead, and when what it says happened (microseconds)."""

    lead_id: LeadId
    record: Record
    at_us: int


@dataclass(frozen=True, slots=True)
class Past:
    """A person by when things happened: records each with its moment, sums[n] with all activities until sums_us[n]."""

    person: Person
    records: Sequence[Happened]
    sums_us: Sequence[int]
    sums: Sequence[Sums]

    @property
    def instants(self) -> set[int]:
        """Every moment at which anything happened."""
        return {*self.sums_us, *(each.at_us for each in self.records)} - {_EVER}

    def person_at(self, until_us: int) -> Person:
        """The person with only what had happened until then, of all that is known now."""
        members = {member.lead_id: Member(member.lead_id) for member in self.person.members}
        for lead_id, record, at_us in self.records:
            if at_us <= until_us:
                members[lead_id] = with_record(members[lead_id], record)
        root, *others = members.values()
        sums = self.sums[bisect_right(self.sums_us, until_us) - 1]
        account_id = self.person.account_id
        customers = () if account_id is None or "customer" not in self.person.hits else (account_id,)
        person = person_of([root._replace(sums=sums), *others], customers=customers)
        return person._replace(counts=self.person.counts)


def past_of(
    person: Person,
    activities: Iterable[Activity],
    records: Iterable[Happened],
    *,
    rule: PointsRule,
    joined_us: Mapping[LeadId, int] = _NO_MERGES,
) -> Past:
    """The past of a person. activities: the newest of its members; what else its sums hold is taken as older.

    joined_us: since when a member belongs to the tree, which had nothing of it before.
    """
    relevant = [each for each in activities if is_relevant(each, rule=rule)]
    dated = [(max(each.counts_from_us, joined_us.get(each.member_id, _EVER)), each) for each in relevant]
    sums_us, sums = [_EVER], [without(person.sums, relevant, rule=rule)]
    for at_us, activity in sorted(dated, key=lambda pair: pair[0]):
        sums_us.append(at_us)
        sums.append(fold(sums[-1], [activity], rule=rule))
    moved = [
        each._replace(at_us=max(_EVER if _was_before(each.record) else each.at_us, joined_us.get(each.lead_id, _EVER)))
        for each in records
    ]
    return Past(person, moved, sums_us, sums)


def person_crossed_us(
    past: Past, standing: Standing, verdict: Verdict, *, now_us: int, rule: PointsRule, model: Model | None = None
) -> int:
    """When it had happened that this verdict, made now of this standing, rests on; never after now."""
    if verdict.policy == "explored":
        return min(now_us, draw_at(past.person.known_since_us))

    def holds(until_us: int, at_us: int) -> bool:
        found = verdict_on(past.person_at(until_us), standing, now_us=at_us, rule=rule, model=model)
        return (found.outcome, found.policy) == (verdict.outcome, verdict.policy)

    return crossed_us(past.instants, now_us, holds=holds)


def steps_for(people: int) -> int:
    """How many instants a decision over so many people is walked back; none over thousands: it is dated now."""
    return min(STEPS_MAX, _LOOKS_MAX // (_LOOKS_OF_STEP * max(1, people)))


def crossed_us(instants: Iterable[int], now_us: int, *, holds: Holds, steps_max: int = STEPS_MAX) -> int:
    """Since when a decision made now holds unbroken, by what happened at the newest steps_max of these instants.

    holds(until_us, at_us): whether it would be the same at at_us by what had happened until until_us.
    """
    since = now_us
    for at_us in sorted({at_us for at_us in instants if at_us <= now_us}, reverse=True)[:steps_max]:
        if not holds(at_us, at_us):
            return _turn(at_us, since, holds=holds)
        since = at_us
        if not holds(at_us - 1, at_us):
            break
    return since


def _turn(before: int, after: int, *, holds: Holds) -> int:
    """The instant, between one before and one from which it holds, at which time alone made it so."""
    until_us = before
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if holds(until_us, middle) else (middle, after)
    return after


def _was_before(record: Record) -> bool:
    """Of these, what is said first was true before: it changed nothing that we knew."""
    return record.version == 1 and isinstance(record, Attributes | Link | Permission)
