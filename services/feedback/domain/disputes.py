"""When a dispute is settled: one person of each team, two different people, who rule the same.

While they differ it stays open and either may rule again; a settled dispute never changes. Pure. DECISIONS 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Verdict = Literal["upheld", "denied"]
TEAMS = ("marketing", "sales")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one person ruled for their team."""

    team: str
    user_id: UUID
    verdict: Verdict
    is_credited: bool
    ruled_at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a ruling is not taken, and what to do next."""

    code: str
    message: str


def with_ruling(rulings: Sequence[Ruling], ruling: Ruling) -> tuple[Ruling, ...] | Refusal:
    """The rulings with this one in place of its team's former one."""
    if ruling.team not in TEAMS:
        return Refusal("no_team", "only a person of Marketing or Sales rules")
    others = [each for each in rulings if each.team != ruling.team]
    if any(each.user_id == ruling.user_id for each in others):
        return Refusal("ruled_already", "one person cannot rule for both teams")
    return tuple(sorted((*others, ruling), key=lambda each: each.team))


def settled(rulings: Sequence[Ruling]) -> tuple[Verdict, bool] | None:
    """Verdict and credit both teams agree on; None while one is missing or they differ."""
    if {each.team for each in rulings} != set(TEAMS):
        return None
    told = {(each.verdict, each.is_credited) for each in rulings}
    return told.pop() if len(told) == 1 else None
