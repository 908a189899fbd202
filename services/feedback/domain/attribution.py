"""Shares an opportunity's amount over its touchpoints.

First, last, linear. Credits sum to the amount in minor units.

A touchpoint is a visit or a contact by Marketing that a person made: an activity of direction marketing, human at
least one half, at or before the opportunity. Activities of one visit (same triple or none, at most 30 minutes
apart) are one touchpoint; what a person does inside or after a visit without a source of its own (a form, a trial,
a demo asked for) belongs to that visit. A page without source and referrer is `direct`, and direct is a source like
any other: a later ad never takes the first touch from it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

Model = Literal["first", "last", "linear"]
MODELS: tuple[Model, ...] = ("first", "last", "linear")
DEFINITION = (
    "A touchpoint is a visit or a contact by Marketing that a person (not software) made at or before the opportunity; "
    "activities at most 30 minutes apart with the same source are one; a page without source and referrer is direct."
)
VISIT_GAP = timedelta(minutes=30)
HUMAN_MIN = 0.5
DIRECT = "direct"
# Software or Marketing does these, not the person: they are no touch of anybody.
NOT_TOUCHING = frozenset(
    {"email_sent", "email_delivered", "email_bounce", "email_unsubscribe", "email_spam", "email_subscribe"}
)
# Without a source of their own these carry the name of their channel; a page view is then direct.
OWN_CHANNEL = frozenset({"email", "field_event", "call"})


@dataclass(frozen=True, slots=True)
class Touching:
    """One activity as attribution sees it."""

    activity_id: UUID
    lead_id: UUID
    kind: str
    direction: str
    human: float
    occurred_at: datetime
    channel: str
    traffic_source: str = ""
    medium: str = ""
    campaign: str = ""
    referrer_host: str = ""
    asset: str = ""


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """One touchpoint, named by the activity that began it."""

    activity_id: UUID
    lead_id: UUID
    occurred_at: datetime
    ended_at: datetime
    traffic_source: str
    medium: str
    campaign: str
    asset: str


@dataclass(frozen=True, slots=True)
class Credit:
    """One touchpoint's share of the amount; no touchpoint means unattributed, always visible."""

    touchpoint: Touchpoint | None
    amount_minor: int


def touchpoints(activities: Iterable[Touching], *, until: datetime) -> tuple[Touchpoint, ...]:
    """Touchpoints of one person or account in order of time, from activities in any order."""
    found: list[Touchpoint] = []
    for activity in sorted(activities, key=lambda each: (each.occurred_at, each.activity_id)):
        if not _touches(activity, until):
            continue
        source = _source(activity)
        last = found[-1] if found else None
        if last is not None and _belongs(activity, source, last):
            found[-1] = _extended(last, activity)
        else:
            found.append(_begun(activity, source or DIRECT))
    return tuple(found)


def credits_of(amount_minor: int, points: Sequence[Touchpoint], model: Model) -> tuple[Credit, ...]:
    """Shares that sum to the amount exactly; everything is unattributed when nobody was touched."""
    if not points:
        return (Credit(touchpoint=None, amount_minor=amount_minor),)
    match model:
        case "first":
            return (Credit(touchpoint=points[0], amount_minor=amount_minor),)
        case "last":
            return (Credit(touchpoint=points[-1], amount_minor=amount_minor),)
        case "linear":
            shares = even_shares(amount_minor, len(points))
            return tuple(
                Credit(touchpoint=point, amount_minor=share) for point, share in zip(points, shares, strict=True)
            )


def even_shares(amount_minor: int, parts: int) -> tuple[int, ...]:
    """The amount in `parts` (>= 1) shares that differ by at most one minor unit, the greater ones first."""
    size = abs(amount_minor)
    sign = -1 if amount_minor < 0 else 1
    share, left = divmod(size, parts)
    return tuple(sign * (share + (at < left)) for at in range(parts))


def _touches(activity: Touching, until: datetime) -> bool:
    return (
        activity.direction == "marketing"
        and activity.human >= HUMAN_MIN
        and activity.kind not in NOT_TOUCHING
        and activity.occurred_at <= until
    )


def _source(activity: Touching) -> str:
    """The source it names itself, else its referrer, else its channel where that says more than the web; else none."""
    own = activity.traffic_source or activity.referrer_host
    return own or (activity.channel if activity.channel in OWN_CHANNEL else "")


def _belongs(activity: Touching, source: str, last: Touchpoint) -> bool:
    """Whether it is part of the touchpoint before it."""
    is_same_visit = activity.occurred_at - last.ended_at <= VISIT_GAP
    if not source:
        # A form long after the visit is what the visit led to; a page long after it is a new, direct visit.
        return is_same_visit or activity.kind != "page_view"
    named = (source, activity.medium, activity.campaign)
    return is_same_visit and named == (last.traffic_source, last.medium, last.campaign)


def _extended(last: Touchpoint, activity: Touching) -> Touchpoint:
    return Touchpoint(
        activity_id=last.activity_id,
        lead_id=last.lead_id,
        occurred_at=last.occurred_at,
        ended_at=activity.occurred_at,
        traffic_source=last.traffic_source,
        medium=last.medium,
        campaign=last.campaign,
        asset=last.asset or activity.asset,
    )


def _begun(activity: Touching, source: str) -> Touchpoint:
    return Touchpoint(
        activity_id=activity.activity_id,
        lead_id=activity.lead_id,
        occurred_at=activity.occurred_at,
        ended_at=activity.occurred_at,
        traffic_source=source,
        medium=activity.medium,
        campaign=activity.campaign,
        asset=activity.asset,
    )
