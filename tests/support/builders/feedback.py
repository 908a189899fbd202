"""Events that feedback reads and values its domain works on, one builder each, all defaults, keyword overrides."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from services.feedback.domain.attribution import Touching
from services.feedback.domain.handoffs import ClockStep, HandoffRecord, Step, fold
from services.feedback.domain.labels import Ending, HandedOff
from services.feedback.domain.retune import TrainingRow
from shared.contracts import handoffs as handoff_events
from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event, Payload
from shared.contracts.kinds import ActivityKind, Actor, Channel, Direction, HandoffState, VerifiedBy
from shared.contracts.leads import LeadIdentified
from shared.contracts.scores import FactValue, LeadQualified, LeadScored, ScoreLine
from shared.ids import derived_id

__all__ = [
    "START",
    "activity",
    "clock",
    "days",
    "ending",
    "event",
    "handed",
    "handoff_event",
    "handoff_id",
    "hours",
    "lead_id",
    "profile",
    "qualified",
    "record",
    "scored",
    "step",
    "touch",
    "training_row",
]

START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
P = TypeVar("P", bound=Payload)
E = TypeVar("E", bound=handoff_events.HandoffEvent)


def days(count: float) -> datetime:
    """So many days after START."""
    return START + timedelta(days=count)


def hours(count: float) -> datetime:
    """So many hours after START."""
    return START + timedelta(hours=count)


def lead_id(name: object) -> UUID:
    return derived_id("test lead", name)


def handoff_id(name: object) -> UUID:
    return derived_id("test handoff", name)


def event(payload: P, *, at: datetime, learned: datetime | None = None, id: UUID | None = None) -> Event[P]:  # noqa: A002
    own = id or derived_id("test event", payload.TYPE, payload.model_dump_json(), at)
    return Event.first(payload, source="/baton/test", occurred_at=at, recorded_at=learned or at, id=own)


def profile(lead: str, *, at: datetime = START, **changes: Any) -> Event[LeadIdentified]:  # noqa: ANN401 - any field
    return event(LeadIdentified(**{"lead_id": lead_id(lead), "profile_version": 1, "is_known": True, **changes}), at=at)


def activity(
    lead: str,
    *,
    at: datetime = START,
    learned: datetime | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> Event[ActivityRecorded]:
    values: dict[str, Any] = {
        "activity_id": derived_id("test activity", lead, at, changes.get("kind")),
        "lead_id": lead_id(lead),
        "member_id": lead_id(lead),
        "kind": ActivityKind.PAGE_VIEW,
        "direction": Direction.MARKETING,
        "recorded_at": learned or at,
        "occurred_at": at,
        "human": 1.0,
        "verified_by": VerifiedBy.SERVER_KEY,
        "source_id": UUID(int=7),
        "sender": "segment",
        "channel": Channel.WEB,
    }
    return event(ActivityRecorded(**values | changes), at=at, learned=learned)


def scored(lead: str, *, at: datetime = START, **changes: Any) -> Event[LeadScored]:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "lead_id": lead_id(lead),
        "score_version": 1,
        "score": 30,
        "fit": 20,
        "engagement": 10,
        "is_qualified": False,
        "reasons": [],
        "agreement_id": "default",
        "agreement_version": 1,
    }
    return event(LeadScored(**values | changes), at=at)


def qualified(lead: str, *, at: datetime = START, **changes: Any) -> Event[LeadQualified]:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "lead_id": lead_id(lead),
        "score_version": 2,
        "score": 70,
        "fit": 40,
        "engagement": 30,
        "is_qualified": True,
        "reasons": [],
        "agreement_id": "default",
        "agreement_version": 1,
        "decision_id": derived_id("test decision", lead),
        "number": 1,
        "product": "default",
        "policy": "qualified",
        "tier": "scored",
        "propensity": 1.0,
        "facts": [FactValue(name="title_level", value="vp", known_at=at)],
        "lines": [ScoreLine(line="title_level", points=20)],
        "crossed_at": at,
        "entry_channel": "web",
    }
    return event(LeadQualified(**values | changes), at=at)


def handoff_event(kind: type[E], lead: str, seq: int, *, at: datetime = START, **changes: Any) -> Event[E]:  # noqa: ANN401
    values: dict[str, Any] = {
        "handoff_id": handoff_id(lead),
        "lead_id": lead_id(lead),
        "root_lead_id": lead_id(lead),
        "motion": "new_business",
        "cycle": 1,
        "seq": seq,
        "token": seq,
        "state": HandoffState.QUALIFIED,
        "tier": "scored",
        "product": "default",
        "agreement_id": "default",
        "agreement_version": 1,
        "actor": Actor.SYSTEM,
    }
    return event(kind(**values | changes), at=at, id=derived_id("test handoff event", lead, seq))


def clock(kind: str, state: str, *, due_at: datetime = START, name: str = "") -> ClockStep:
    return ClockStep(clock_id=derived_id("test clock", kind, name), kind=kind, due_at=due_at, state=state)


def step(seq: int, kind: str, *, at: datetime = START, **changes: Any) -> Step:  # noqa: ANN401 - any field of Step
    values: dict[str, Any] = {
        "seq": seq,
        "kind": kind,
        "at": at,
        "recorded_at": at,
        "state": "qualified",
        "tier": "scored",
    }
    return Step(**values | changes)


def record(lead: str, *steps: Step) -> HandoffRecord:
    return fold(handoff_id(lead), lead_id(lead), steps or (step(1, "opened"),))


def touch(lead: str, at: datetime, **changes: Any) -> Touching:  # noqa: ANN401 - any field of Touching
    values: dict[str, Any] = {
        "activity_id": derived_id("test touch", lead, at, changes.get("kind")),
        "lead_id": lead_id(lead),
        "kind": "page_view",
        "direction": "marketing",
        "human": 1.0,
        "occurred_at": at,
        "channel": "web",
    }
    return Touching(**values | changes)


def handed(name: object, *, at: datetime = START, group: str = "") -> HandedOff:
    return HandedOff(handoff_id=handoff_id(name), handed_at=at, group=group)


def ending(name: object, *, at: datetime, **changes: Any) -> Ending:  # noqa: ANN401 - any field of Ending
    values: dict[str, Any] = {
        "outcome_id": derived_id("test outcome", name, at, changes.get("verdict")),
        "handoff_id": handoff_id(name),
        "verdict": "win",
        "occurred_at": at,
        "recorded_at": at,
    }
    return Ending(**values | changes)


def training_row(name: object, *, at: datetime = START, **changes: Any) -> TrainingRow:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "handoff_id": handoff_id(name),
        "handed_at": at,
        "decided_at": at,
        "points": 70,
        "facts": {},
        "known_at": {},
        "propensity": 1.0,
        "p_win": None,
        "group": "web",
        "policy": "qualified",
    }
    return TrainingRow(**values | changes)
