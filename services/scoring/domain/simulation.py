"""Decides what a draft would have changed for one person over past days: the same judge, over the same history.

Replays a person moment by moment as its activities were learned, once by each rule. Handoffs that really took place are
left out: they followed from the rule of then, so each rule is judged as if it had been alone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.facts import NO_SUMS, Activity, fold, is_relevant
from services.scoring.domain.judge import judge
from services.scoring.domain.member import HandoffSeen, Member, Record, with_record
from services.scoring.domain.person import person_of
from services.scoring.domain.qualify import NEVER, Outcome
from shared.ids import LeadId

__all__ = ["MOMENTS_MOST", "Entry", "History", "entries_under"]

# Moments replayed per person: a script that loads pages all day must not hold the simulation.
MOMENTS_MOST = 500


class History(NamedTuple):
    """What is kept of one person: its members in order (the root first), their activities and records."""

    members: Sequence[LeadId]
    activities: Mapping[LeadId, Sequence[Activity]]
    records: Mapping[LeadId, Sequence[Record]]


class Entry(NamedTuple):
    """One qualification that would have taken place."""

    at_us: int
    policy: str
    score: int


def entries_under(rule: PointsRule, history: History, *, from_us: int, until_us: int) -> tuple[Entry, ...]:
    """The qualifications of one person between two instants by one rule, as if it had never been qualified before."""
    standing, found = NEVER, []
    for at in _moments(rule, history, from_us=from_us, until_us=until_us):
        person = person_of([_member_at(rule, history, lead_id, at) for lead_id in history.members])
        judgement = judge(person, standing, now_us=at, rule=rule)
        standing = judgement.verdict.standing
        if judgement.verdict.outcome is Outcome.QUALIFY:
            found.append(Entry(at, judgement.verdict.policy, judgement.score.score))
    return tuple(found)


def _moments(rule: PointsRule, history: History, *, from_us: int, until_us: int) -> list[int]:
    """When something that matters was learned inside the window, and both its ends."""
    learned = {from_us, until_us}
    for activities in history.activities.values():
        learned.update(each.recorded_us for each in activities if is_relevant(each, rule=rule))
    for records in history.records.values():
        learned.update(record.known_us for record in records)
    inside = sorted(at for at in learned if from_us <= at <= until_us)
    return inside[-MOMENTS_MOST:]


def _member_at(rule: PointsRule, history: History, lead_id: LeadId, at: int) -> Member:
    known = [each for each in history.activities.get(lead_id, ()) if each.recorded_us <= at]
    member = Member(lead_id, fold(NO_SUMS, known, rule=rule))
    for record in history.records.get(lead_id, ()):
        if record.known_us <= at and not isinstance(record, HandoffSeen):
            member = with_record(member, record)
    return member
