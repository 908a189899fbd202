"""Counts what a stretch of Baton's own events says: funnel, clocks, reps, speed, the loop's learning. Pure.

Only events are read, so the figures are what any other reader of the topics would get. A definition stands beside
each field.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event
from shared.contracts.handoffs import (
    HandoffAccepted,
    HandoffAssigned,
    HandoffDisposed,
    HandoffEscalated,
    HandoffEvent,
    HandoffOpened,
    HandoffRejected,
    HandoffTouched,
)
from shared.contracts.kinds import HandoffState
from shared.contracts.leads import LeadConsentChanged, LeadIdentified, LeadMerged
from shared.contracts.models import ModelPromoted, ModelPublished
from shared.contracts.scores import AccountQualified, LeadQualified

__all__ = ["Clock", "Figures", "Handoff", "count", "document", "percentile", "span"]

_OWNED = {HandoffState.ASSIGNED, HandoffState.ACCEPTED, HandoffState.WORKING, HandoffState.OPPORTUNITY}
_OPEN = _OWNED | {HandoffState.QUALIFIED, HandoffState.QUEUED}


_LATE = timedelta(hours=24)  # from happening to our learning of it


@dataclass(slots=True)
class Clock:
    """One promise: its kind, how it stands by the newest seq that shows it, and who owned the handoff at first."""

    kind: str
    end: str
    seq: int
    owner: UUID | None


@dataclass(slots=True)
class Handoff:
    """One handoff as its events tell it, the newest seq last."""

    opened_at: datetime | None = None
    tier: str = ""
    state: HandoffState = HandoffState.QUALIFIED
    owner: UUID | None = None
    last_owner: UUID | None = None
    root: UUID | None = None
    seq: int = 0
    first_touch_at: datetime | None = None
    is_taken: bool = False
    had_opportunity: bool = False
    clocks: dict[UUID, Clock] = field(default_factory=dict)


@dataclass(slots=True)
class Figures:
    """The counts; handoffs by id and rejections by reason stay open to further tables.

    escalated: handoffs of which a promise was missed, so that somebody else was told. qualified: people and accounts.
    """

    activities: int = 0
    machine_activities: int = 0
    late_activities: int = 0
    consents_withdrawn: int = 0
    leads: set[UUID] = field(default_factory=set)
    known: set[UUID] = field(default_factory=set)
    moved: set[UUID] = field(default_factory=set)
    merged: int = 0
    qualified: int = 0
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    reassigned: int = 0
    escalated: set[UUID] = field(default_factory=set)
    recycled: int = 0
    published: list[ModelPublished] = field(default_factory=list)
    promoted: list[ModelPromoted] = field(default_factory=list)
    handoffs: dict[UUID, Handoff] = field(default_factory=dict)
    per_rep: dict[UUID, Counter[str]] = field(default_factory=dict)
    two_owner_leads: set[UUID] = field(default_factory=set)

    def states(self) -> Counter[HandoffState]:
        """Handoffs by the state they are in now."""
        return Counter(one.state for one in self.handoffs.values())

    @property
    def open(self) -> int:
        """Handoffs whose cycle has not ended."""
        return sum(one.state in _OPEN for one in self.handoffs.values())

    def clock_ends(self) -> Counter[tuple[str, str, str]]:
        """Clocks by tier, kind and state: met, breached, void or armed."""
        return Counter((one.tier, clock.kind, clock.end) for one, clock in self._clocks())

    def rep_clock_ends(self) -> Counter[tuple[UUID | None, str, str]]:
        """Clocks by the rep whose promise they were, kind and state."""
        return Counter((clock.owner, clock.kind, clock.end) for _, clock in self._clocks())

    def _clocks(self) -> Iterator[tuple[Handoff, Clock]]:
        return ((one, clock) for one in self.handoffs.values() for clock in one.clocks.values())

    def clocks(self) -> dict[str, int]:
        """Clocks by how they ended, or that they are still armed."""
        ends: Counter[str] = Counter()
        for (_, _, end), number in self.clock_ends().items():
            ends[end] += number
        return {end: ends[end] for end in ("met", "breached", "void", "armed")}

    def speeds(self, tier: str | None = None, *, owner: UUID | None = None) -> list[float]:
        """Seconds from qualified to first touch, of touched handoffs (of a tier, of their last owner), ascending."""
        return sorted(
            (one.first_touch_at - one.opened_at).total_seconds()
            for one in self.handoffs.values()
            if one.first_touch_at and one.opened_at
            if tier in {None, one.tier} and owner in {None, one.last_owner}
        )

    def model(self) -> dict[str, Any]:
        """What was published and promoted, and predicted over actual of the promoted one's rival and of itself."""
        promoted_ids = {one.model_id for one in self.promoted}
        deciding = next((one for one in reversed(self.published) if one.model_id in promoted_ids), None)
        shown = deciding or (self.published[-1] if self.published else None)
        metrics = {one.name: one.value for one in shown.metrics} if shown else {}
        return {
            "published": len(self.published),
            "promoted": len(self.promoted),
            "version": max((one.generation for one in self.promoted), default=0),
            "model_id": str(deciding.model_id) if deciding else None,
            "family": deciding.family if deciding else None,
            "predicted_over_actual_before": _rounded(metrics.get("champion_predicted_over_actual")),
            "predicted_over_actual_after": _rounded(metrics.get("challenger_predicted_over_actual")),
        }


def count(events: Iterable[Event[Any]]) -> Figures:
    """The figures of these events; each event once, those of one handoff in the order of their seq."""
    figures = Figures()
    # Owners are compared across the handoffs of a person, so all handoff events must be walked in one order.
    handoff_events: list[Event[HandoffEvent]] = []
    for event in events:
        payload = event.payload
        if isinstance(payload, HandoffEvent):
            handoff_events.append(event)
        else:
            _count_other(figures, payload)
    handoff_events.sort(key=lambda one: (one.recorded_at, one.payload.handoff_id, one.payload.seq))
    owned: dict[UUID, tuple[UUID, UUID]] = {}
    for _, together in groupby(handoff_events, key=lambda one: one.recorded_at):
        for event in together:
            _count_handoff(figures, event)
            _note_owner(event.payload, owned)
        # While world time stands still much happens at one instant; it counts what holds after it.
        owners: dict[UUID, set[UUID]] = {}
        for root, owner in owned.values():
            owners.setdefault(root, set()).add(owner)
        figures.two_owner_leads |= {root for root, several in owners.items() if len(several) > 1}
    return figures


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """The value below which this share of the values lies, by linear interpolation; None of nothing."""
    if not ascending:
        return None
    place = share * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low)


def _count_other(figures: Figures, payload: object) -> None:
    if isinstance(payload, ActivityRecorded):
        figures.activities += 1
        figures.machine_activities += payload.human < 0.5
        figures.late_activities += payload.recorded_at - payload.occurred_at > _LATE
    elif isinstance(payload, LeadIdentified):
        figures.leads.add(payload.lead_id)
        if payload.is_known:
            figures.known.add(payload.lead_id)
    elif isinstance(payload, LeadMerged):
        figures.merged += 1
        figures.moved.add(payload.lead_id)
    elif isinstance(payload, LeadConsentChanged):
        figures.consents_withdrawn += payload.consent == "withdrawn"
    elif isinstance(payload, (LeadQualified, AccountQualified)):
        figures.qualified += 1
    elif isinstance(payload, ModelPublished):
        figures.published.append(payload)
    elif isinstance(payload, ModelPromoted):
        figures.promoted.append(payload)


def _count_handoff(figures: Figures, event: Event[HandoffEvent]) -> None:
    payload = event.payload
    handoff = figures.handoffs.setdefault(payload.handoff_id, Handoff())
    for clock in payload.clocks:
        known = handoff.clocks.get(clock.clock_id)
        if known is None or payload.seq >= known.seq:
            owner = payload.owner_id if known is None else known.owner
            handoff.clocks[clock.clock_id] = Clock(clock.kind, clock.clock_state, payload.seq, owner)
    if type(payload) is HandoffOpened:
        handoff.opened_at = event.occurred_at
    if payload.seq >= handoff.seq:
        handoff.seq, handoff.state, handoff.tier = payload.seq, payload.state, payload.tier
        handoff.owner, handoff.root = payload.owner_id, payload.root_lead_id
    if payload.owner_id is not None:
        handoff.last_owner = payload.owner_id
    _count_what(figures, handoff, payload)


def _count_what(figures: Figures, handoff: Handoff, payload: HandoffEvent) -> None:
    rep = figures.per_rep.setdefault(handoff.last_owner, Counter()) if handoff.last_owner else Counter[str]()
    if isinstance(payload, HandoffAssigned):
        figures.reassigned += payload.is_reassigned
        rep["assigned"] += 1
    elif isinstance(payload, HandoffAccepted):
        figures.accepted += 1
        handoff.is_taken = True
    elif isinstance(payload, HandoffRejected):
        figures.rejected[payload.reason_code] += 1
        rep["rejected"] += 1
    elif isinstance(payload, HandoffTouched):
        handoff.is_taken = True
        if handoff.first_touch_at is None or payload.touched_at < handoff.first_touch_at:
            handoff.first_touch_at = payload.touched_at
    elif isinstance(payload, HandoffDisposed):
        figures.recycled += payload.disposition == "recycle"
        handoff.had_opportunity |= payload.disposition == "opportunity"
    elif type(payload) is HandoffEscalated and payload.is_breach:
        figures.escalated.add(payload.handoff_id)


def _note_owner(payload: HandoffEvent, owned: dict[UUID, tuple[UUID, UUID]]) -> None:
    """Keep who owns this handoff of which person now; a person with two owners would be in here twice."""
    if payload.state in _OWNED and payload.owner_id:
        owned[payload.handoff_id] = (payload.root_lead_id, payload.owner_id)
    else:
        owned.pop(payload.handoff_id, None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def document(
    figures: Figures, *, deliveries: int, repeats_dropped: int, ledger_gap: int, parked: int, outbox_waiting: int
) -> Mapping[str, Any]:
    """The one JSON document of the demo, without its elapsed time."""
    states = figures.states()
    speeds = figures.speeds()
    return {
        "deliveries": deliveries,
        "activities": figures.activities,
        "machine_activities": figures.machine_activities,
        "late_activities": figures.late_activities,
        "repeats_dropped": repeats_dropped,
        "leads": len(figures.leads),
        "merged": figures.merged,
        "consents_withdrawn": figures.consents_withdrawn,
        "qualified": figures.qualified,
        "handoffs": {
            "opened": len(figures.handoffs),
            "accepted": figures.accepted,
            "rejected": figures.rejected.total(),
            "reassigned": figures.reassigned,
            "escalated": len(figures.escalated),
            "won": states[HandoffState.WON],
            "lost": states[HandoffState.LOST],
            "recycled": figures.recycled,
            "open": figures.open,
        },
        "clocks": figures.clocks(),
        "two_owner_leads": len(figures.two_owner_leads),
        "ledger_gap": ledger_gap,
        "parked": parked,
        "outbox_waiting": outbox_waiting,
        "speed_to_lead_seconds": {"p50": percentile(speeds, 0.5), "p95": percentile(speeds, 0.95)},
        "model": figures.model(),
    }


def span(seconds: float | None) -> str:
    """A span of time as people say it."""
    if seconds is None:
        return "-"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{timedelta(seconds=round(seconds)).total_seconds() / 3600:.1f} h"
