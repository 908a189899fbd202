"""Builds each person's journey through the funnel from what is kept of people, qualifications, handoffs and deals.

One journey per person (the root of a tree), whichever members the facts belong to. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.feedback.domain.commitments import Qualification
from services.feedback.domain.funnel import Journey
from services.feedback.domain.handoffs import HandoffRecord

Dimension = Literal["", "source", "campaign", "channel", "tier"]


@dataclass(frozen=True, slots=True)
class Person:
    """One person as reports see them."""

    lead_id: UUID
    known_at: datetime | None
    engaged_at: datetime | None
    traffic_source: str
    campaign: str
    entry_channel: str


@dataclass(frozen=True, slots=True)
class Deal:
    """One CRM deal by the person it came from."""

    opportunity_id: UUID
    lead_id: UUID
    result: str
    opened_at: datetime
    occurred_at: datetime
    amount_minor: int
    currency: str


def journeys(
    people: Iterable[Person],
    qualifications: Iterable[Qualification],
    handoffs: Iterable[HandoffRecord],
    deals: Iterable[Deal],
    *,
    by: Dimension = "",
) -> list[Journey]:
    """One journey per person who is known, in the order of people."""
    reached: dict[UUID, dict[str, datetime]] = {}
    detours: dict[UUID, str] = {}
    tiers: dict[UUID, str] = {}
    listed = list(people)
    for person in listed:
        _reach(reached, person.lead_id, "known", person.known_at)
        _reach(reached, person.lead_id, "engaged", person.engaged_at)
    for qualification in qualifications:
        _reach(reached, qualification.lead_id, "marketing_qualified", qualification.at)
    for record in sorted(handoffs, key=lambda each: (each.opened_at, each.handoff_id)):
        _of_handoff(reached, record)
        detours[record.lead_id] = _detour(record)
        tiers.setdefault(record.lead_id, record.last.tier)
    for deal in deals:
        _reach(reached, deal.lead_id, "opportunity", deal.opened_at)
        if deal.result == "won":
            _reach(reached, deal.lead_id, "won", deal.occurred_at)
    return [
        Journey(
            lead_id=person.lead_id,
            reached=reached.get(person.lead_id, {}),
            group=_group(person, by, tiers),
            detour=detours.get(person.lead_id, ""),
        )
        for person in listed
    ]


def _of_handoff(reached: dict[UUID, dict[str, datetime]], record: HandoffRecord) -> None:
    _reach(reached, record.lead_id, "marketing_qualified", record.opened_at)
    _reach(reached, record.lead_id, "sales_accepted", record.accepted_at)
    disposed = record.disposed
    if disposed is not None and disposed.disposition == "opportunity":
        _reach(reached, record.lead_id, "sales_qualified", disposed.at)


def _reach(reached: dict[UUID, dict[str, datetime]], lead_id: UUID, stage: str, at: datetime | None) -> None:
    """Keep the first time."""
    if at is not None:
        own = reached.setdefault(lead_id, {})
        own[stage] = min(at, own.get(stage, at))


def _detour(record: HandoffRecord) -> str:
    """Where the person's newest handoff left them aside, if it did."""
    state = record.last.state
    if state == "nurture":
        disposed = record.disposed
        return "recycled" if disposed is not None and disposed.disposition == "recycle" else "nurture"
    return state if state in {"disqualified", "lost", "suppressed"} else ""


def _group(person: Person, by: Dimension, tiers: Mapping[UUID, str]) -> str:
    match by:
        case "source":
            return person.traffic_source or "direct"
        case "campaign":
            return person.campaign or "none"
        case "channel":
            return person.entry_channel or "unknown"
        case "tier":
            return tiers.get(person.lead_id, "none")
        case "":
            return ""
