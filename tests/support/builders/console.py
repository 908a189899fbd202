"""Builds one event or row of the console each, with defaults for all that a test does not say."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.console.domain.records import ClockRow, HandoffRow, LeadRow, UserRow
from shared.contracts.activities import ActivityRecorded
from shared.contracts.agreement import canonical_json, default_agreement
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event, Payload
from shared.contracts.handoffs import HandoffAssigned, HandoffEvent
from shared.contracts.kinds import ActivityKind, Channel, Direction, HandoffState, VerifiedBy
from shared.contracts.leads import LeadIdentified
from shared.contracts.scores import FactValue, LeadQualified, LeadScored, ScoreLine
from shared.ids import derived_id

__all__ = [
    "NOW",
    "activity",
    "agreement_published",
    "clock_row",
    "event",
    "handoff_event",
    "handoff_row",
    "identified",
    "lead_row",
    "named",
    "qualified",
    "scored",
    "user_row",
]

NOW = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)


def named(kind: str, name: object) -> UUID:
    """The id of a thing a test calls by a name."""
    return derived_id("console-test", kind, name)


def event(payload: Payload, *, at: datetime = NOW, recorded_at: datetime | None = None) -> Event[Any]:
    own = named("event", payload.model_dump_json())
    return Event.first(payload, source="/baton/test", occurred_at=at, recorded_at=recorded_at or at, id=own)


def identified(lead: object = "anna", *, version: int = 1, **changes: Any) -> LeadIdentified:  # noqa: ANN401
    return LeadIdentified(
        **{
            "lead_id": named("lead", lead),
            "profile_version": version,
            "is_known": True,
            "title_level": "vp",
            "country": "DE",
            "entry_channel": "web",
            **changes,
        }
    )


def activity(lead: object = "anna", *, kind: str = "pricing_viewed", **changes: Any) -> ActivityRecorded:  # noqa: ANN401
    return ActivityRecorded(
        **{
            "activity_id": named("activity", (lead, kind)),
            "lead_id": named("lead", lead),
            "member_id": named("lead", lead),
            "kind": ActivityKind(kind),
            "direction": Direction.MARKETING,
            "recorded_at": NOW,
            "occurred_at": NOW,
            "human": 1.0,
            "verified_by": VerifiedBy.SERVER_KEY,
            "source_id": named("source", "site"),
            "sender": "segment",
            "channel": Channel.WEB,
            **changes,
        }
    )


def scored(lead: object = "anna", *, version: int = 1, score: int = 40, **changes: Any) -> LeadScored:  # noqa: ANN401
    return LeadScored(**_score(lead, version=version, score=score) | changes)


def qualified(lead: object = "anna", *, version: int = 2, score: int = 80, **changes: Any) -> LeadQualified:  # noqa: ANN401
    return LeadQualified(
        **_score(lead, version=version, score=score)
        | {
            "decision_id": named("decision", lead),
            "number": 1,
            "product": "default",
            "policy": "qualified",
            "tier": "scored",
            "propensity": 1.0,
            "facts": [FactValue(name="title_level", value="vp", known_at=NOW)],
            "lines": [ScoreLine(line="title_level=vp", points=50), ScoreLine(line="pricing_viewed", points=score - 50)],
            "crossed_at": NOW,
            "entry_channel": "web",
            "is_qualified": True,
        }
        | changes
    )


def _score(lead: object, *, version: int, score: int) -> dict[str, Any]:
    return {
        "lead_id": named("lead", lead),
        "score_version": version,
        "score": score,
        "fit": 30,
        "engagement": 20,
        "is_qualified": False,
        "reasons": [ScoreLine(line="title_level=vp", points=20)],
        "agreement_id": "default",
        "agreement_version": 1,
    }


def handoff_event(
    model: type[HandoffEvent] = HandoffAssigned,
    *,
    handoff: object = "one",
    lead: object = "anna",
    owner: UUID | None = None,
    seq: int = 1,
    token: int = 1,
    state: str = "assigned",
    due_at: datetime | None = None,
    **changes: Any,  # noqa: ANN401
) -> HandoffEvent:
    kind = {"assigned": "accept", "accepted": "touch", "working": "dispose", "queued": "queue"}.get(state)
    due = due_at or NOW + timedelta(hours=4)
    clock = [{"clock_id": named("clock", kind), "kind": kind, "due_at": due, "fire_at": due, "clock_state": "armed"}]
    own: dict[str, Any] = {"decision_id": named("routing", handoff), "is_rotated": False, "is_reassigned": False}
    return model.model_validate(
        {
            "handoff_id": named("handoff", handoff),
            "lead_id": named("lead", lead),
            "root_lead_id": named("lead", lead),
            "motion": "new_business",
            "cycle": 1,
            "seq": seq,
            "token": token,
            "state": HandoffState(state),
            "tier": "scored",
            "product": "default",
            "owner_id": owner,
            "attempt": 1,
            "clocks": clock if kind else [],
            "agreement_id": "default",
            "agreement_version": 1,
            "actor": "system",
            **(own if model is HandoffAssigned else {}),
            **changes,
        }
    )


def agreement_published(*, version: int = 1, is_unsigned_default: bool = True) -> AgreementPublished:
    return AgreementPublished(
        agreement_id="default",
        version=version,
        effective_from=datetime(2026, 1, 1, tzinfo=UTC),
        document=canonical_json(default_agreement()),
        sha256="0" * 64,
        is_unsigned_default=is_unsigned_default,
    )


def lead_row(lead: object = "anna", **changes: Any) -> LeadRow:  # noqa: ANN401
    lead_id = named("lead", lead)
    return LeadRow(**{"lead_id": lead_id, "root_id": lead_id, **changes})


def clock_row(kind: str = "accept", *, due_in: timedelta = timedelta(hours=4), state: str = "armed") -> ClockRow:
    return ClockRow(named("clock", kind), kind, NOW + due_in, NOW + due_in, state)


def handoff_row(handoff: object = "one", **changes: Any) -> HandoffRow:  # noqa: ANN401
    return HandoffRow(
        **{
            "handoff_id": named("handoff", handoff),
            "lead_id": named("lead", "anna"),
            "root_lead_id": named("lead", "anna"),
            "state": "assigned",
            "token": 1,
            "seq": 1,
            "opened_at": NOW,
            "state_at": NOW,
            "clocks": (clock_row(),),
            **changes,
        }
    )


def user_row(name: str = "Priya Nair", *, role: str = "rep", team_id: UUID | None = None) -> UserRow:
    return UserRow(named("user", name), name.split(maxsplit=1)[0].lower(), name, role, team_id)
