"""The funnel both teams look at, from known to won, each bar with its leads.

A person counts at a stage when this or a later stage was reached: a handoff opened by hand was still known and
engaged. So no stage is smaller than the next, and the people lost between two stages are exactly their difference.
Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from uuid import UUID

STAGES = ("known", "engaged", "marketing_qualified", "sales_accepted", "sales_qualified", "opportunity", "won")
DETOURS = ("nurture", "recycled", "disqualified", "lost", "suppressed")
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Journey:
    """When one person first reached each stage; stages never reached are absent. `detour` is where they stand aside."""

    lead_id: UUID
    reached: Mapping[str, datetime]
    group: str = ""
    detour: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage: its people, the share of the stage before it, and the median days from there."""

    stage: str
    lead_ids: tuple[UUID, ...]
    share_of_previous: float | None
    median_days: float | None


@dataclass(frozen=True, slots=True)
class Funnel:
    """All bars in order, and the people who stand aside by detour."""

    bars: tuple[Bar, ...]
    detours: Mapping[str, tuple[UUID, ...]]


def funnel(journeys: Iterable[Journey], *, since: datetime, until: datetime) -> Funnel:
    """The cohort of people who became known in [since, until), through the stages they have reached by now."""
    cohort = sorted(
        (each for each in (_filled(journey) for journey in journeys) if _in(each.reached.get("known"), since, until)),
        key=lambda each: (each.reached["known"], each.lead_id),
    )
    at_stage = {stage: [each for each in cohort if stage in each.reached] for stage in STAGES}
    bars = [Bar(stage="known", lead_ids=_ids(at_stage["known"]), share_of_previous=None, median_days=None)]
    bars += [_bar(before, stage, at_stage) for before, stage in pairwise(STAGES)]
    return Funnel(
        bars=tuple(bars),
        detours={name: _ids([each for each in cohort if each.detour == name]) for name in DETOURS},
    )


def by_group(journeys: Iterable[Journey], *, since: datetime, until: datetime) -> dict[str, Funnel]:
    """One funnel per group (source, campaign, segment), names in order; together they hold each person once."""
    grouped: dict[str, list[Journey]] = {}
    for journey in journeys:
        grouped.setdefault(journey.group, []).append(journey)
    return {name: funnel(grouped[name], since=since, until=until) for name in sorted(grouped)}


def _filled(journey: Journey) -> Journey:
    """Every stage before the furthest one reached, at the latest when the next one was reached."""
    reached: dict[str, datetime] = {}
    later: datetime | None = None
    for stage in reversed(STAGES):
        own = journey.reached.get(stage)
        if own is not None or later is not None:
            later = own if later is None or (own is not None and own < later) else later
            assert later is not None
            reached[stage] = later
    return Journey(lead_id=journey.lead_id, reached=reached, group=journey.group, detour=journey.detour)


def _bar(before: str, stage: str, at_stage: Mapping[str, Sequence[Journey]]) -> Bar:
    here = at_stage[stage]
    days = [(each.reached[stage] - each.reached[before]).total_seconds() / DAY_SECONDS for each in here]
    return Bar(
        stage=stage,
        lead_ids=_ids(here),
        share_of_previous=len(here) / len(at_stage[before]) if at_stage[before] else None,
        median_days=median(days) if days else None,
    )


def _ids(journeys: Sequence[Journey]) -> tuple[UUID, ...]:
    return tuple(journey.lead_id for journey in journeys)


def _in(moment: datetime | None, since: datetime, until: datetime) -> bool:
    return moment is not None and since <= moment < until
