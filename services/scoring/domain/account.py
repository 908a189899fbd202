"""Decides the score of an account from its people, and whether it qualifies when no single person does.

engagement = sum over people, most engaged first, of (1/2)^(k-1) * min(e_k, person_cap), plus breadth (SCORING 4). One
noisy person stays at the cap; an account needs two engaged people. Not validated on any public set: screens say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.decay import DAY_US
from services.scoring.domain.person import Person
from services.scoring.domain.scorecard import clamp, engagement_of, rounded, shown
from shared.contracts.agreement import AccountCriteria
from shared.ids import LeadId

__all__ = [
    "AccountScore",
    "AccountStanding",
    "PersonShare",
    "decide_account",
    "engaged_people",
    "score_account",
    "shares_of",
]

# What accounts reach further down than this adds less than a rounding: (1/2)^20 of the cap.
_DEEP = 20


@dataclass(frozen=True, slots=True)
class PersonShare:
    """One person's part: engagement from 0 to 100, unrounded; counts for breadth; may be handed off."""

    lead_id: LeadId
    engagement: float
    is_active: bool
    may_be_handed_off: bool


@dataclass(frozen=True, slots=True)
class AccountScore:
    """What is displayed and decides; `reasons` name people and add up to `engagement`, clamp and breadth included."""

    score: int
    fit: int
    engagement: int
    people: int
    engaged_people: int
    reasons: tuple[tuple[LeadId, int], ...]


class AccountStanding(NamedTuple):
    """Whether the account is qualified, since when (microseconds, 0 = never), and how often it was."""

    is_qualified: bool = False
    since_us: int = 0
    number: int = 0


def shares_of(people: Sequence[Person], now_us: int, *, rule: PointsRule) -> tuple[PersonShare, ...]:
    """Each person's share, most engaged first (the id decides between equals). Who may not be scored is left out."""
    agreed = rule.account
    found = []
    for person in people:
        if not person.may_be_scored:
            continue
        engagement = engagement_of(person.sums, now_us=now_us, rule=rule)
        is_lately = now_us - person.sums.last_us <= agreed.breadth_days * DAY_US
        is_active = shown(engagement) >= agreed.breadth_min and is_lately
        barred = set(person.hard_rules(rule.hard_rules)) - {"open_handoff"}
        found.append(PersonShare(person.root_id, engagement, is_active, not barred and person.known_since_us > 0))
    return tuple(sorted(found, key=lambda share: (-share.engagement, share.lead_id.int)))


def score_account(
    shares: Sequence[PersonShare], attributes: Mapping[str, str], *, people: int, rule: PointsRule
) -> AccountScore:
    """The account's score from its people's shares (most engaged first) and its firmographic attributes."""
    agreed = rule.account
    parts: dict[LeadId, float] = {}
    breadth = 0.0
    for place, share in enumerate(shares):
        worth = min(share.engagement, agreed.person_cap) * 0.5**place if place < _DEEP else 0.0
        if place and share.is_active:
            own = min(agreed.breadth_points, agreed.breadth_max - breadth)
            breadth += own
            worth += own
        if worth > 0:
            parts[share.lead_id] = worth
    lines = rounded([(str(lead_id), worth) for lead_id, worth in parts.items()])
    engagement = clamp(sum(points for _, points in lines))
    fit = clamp(shown(sum(points for _, points in rule.fit(attributes, is_account=True))))
    return AccountScore(
        score=clamp(fit + engagement),
        fit=fit,
        engagement=engagement,
        people=people,
        engaged_people=engaged_people(shares, agreed),
        reasons=tuple((lead_id, points) for lead_id, (_, points) in zip(parts, lines, strict=True) if points),
    )


def engaged_people(shares: Sequence[PersonShare], agreed: AccountCriteria) -> int:
    """How many people count as engaged."""
    return sum(shown(share.engagement) >= agreed.breadth_min for share in shares)


def decide_account(
    standing: AccountStanding, score: AccountScore, *, now_us: int, agreed: AccountCriteria, has_candidate: bool
) -> AccountStanding:
    """The standing after one look, entered when number grew; somebody must be there who may be handed off."""
    dwell_us = round(agreed.dwell_hours * 3_600_000_000)
    if standing.since_us and now_us - standing.since_us < dwell_us:
        return standing
    is_met = score.score >= agreed.qualify and score.engaged_people >= agreed.engaged_people_min and has_candidate
    if not standing.is_qualified and is_met:
        return AccountStanding(is_qualified=True, since_us=now_us, number=standing.number + 1)
    if standing.is_qualified and score.score < agreed.demote:
        return standing._replace(is_qualified=False, since_us=now_us)
    return standing
