"""What a batch of events says about leads: activities, corrections, records, moves; and which lead each event touches.

Only a translation: versions and sums decide what comes of it, so order and repeats need no care here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.scoring.domain.decay import micros
from services.scoring.domain.facts import Activity
from services.scoring.domain.happened import Happened
from services.scoring.domain.member import Attributes, Deal, HandoffSeen, Link, Permission, Record
from services.scoring.store.history import Correction
from services.scoring.store.lead_records import Move
from shared.contracts.activities import ActivityCorrected, ActivityRecorded
from shared.contracts.envelope import Event
from shared.contracts.handoffs import HandoffEvent
from shared.contracts.kinds import Consent, ConsentPurpose, Direction
from shared.contracts.leads import (
    PROFILE_ATTRIBUTES,
    LeadConsentChanged,
    LeadErased,
    LeadIdentified,
    LeadLinked,
    LeadMerged,
    LeadSplit,
)
from shared.contracts.outcomes import OpportunityChanged, OutcomeRecorded
from shared.ids import AccountId, ActivityId, LeadId

__all__ = ["Changes", "activity_of", "changes_of"]

# An erasure ends every permission for good: no consent that ingest may still count reaches this version.
_ERASED_VERSION = 2**53
_TELLING = frozenset({"won", "lost", "churned"})


@dataclass(slots=True)
class Changes:
    """The batch, sorted by what it changes.

    recorded: by the activity's id, the first to tell of each.
    causes: the newest event that touches each lead, in log order; activities add theirs when they turn out to matter.
    """

    recorded: dict[UUID, Event[ActivityRecorded]] = field(default_factory=dict)
    corrections: list[Correction] = field(default_factory=list)
    records: list[Happened] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    causes: dict[LeadId, Event[Any]] = field(default_factory=dict)


def changes_of(received: Iterable[Event[Any]]) -> Changes:
    """Translate a batch. What Sales did is skipped: written by staff, it is no input of a score (SCORING section 1)."""
    changes = Changes()
    for event in received:
        payload = event.payload
        if isinstance(payload, ActivityRecorded):
            if payload.direction is Direction.SALES:
                continue
            changes.recorded.setdefault(payload.activity_id, event)
        elif isinstance(payload, HandoffEvent):
            _add(changes, event, payload.lead_id, _handoff(event, payload))
        else:
            _translate(changes, event)
    return changes


def activity_of(payload: ActivityRecorded) -> Activity:
    """The activity as sums are folded from it."""
    return Activity(
        activity_id=ActivityId(payload.activity_id),
        member_id=LeadId(payload.member_id),
        kind=payload.kind.value,
        content=payload.content,
        is_hard=payload.is_hard,
        verified_by=payload.verified_by.value,
        occurred_us=micros(payload.occurred_at),
        recorded_us=micros(payload.recorded_at),
        human=payload.human,
    )


def _translate(changes: Changes, event: Event[Any]) -> None:
    known = micros(event.recorded_at)
    match event.payload:
        case ActivityCorrected() as payload:
            member = LeadId(payload.member_id)
            corrected = Correction(ActivityId(payload.activity_id), event.id, member, payload.human, known)
            changes.corrections.append(corrected)
            changes.causes[member] = event
        case LeadIdentified() as payload:
            values = {name: getattr(payload, name) for name in PROFILE_ATTRIBUTES if getattr(payload, name) is not None}
            _add(changes, event, payload.lead_id, Attributes(payload.profile_version, known, values, payload.is_known))
        case LeadLinked() as payload:
            _add(changes, event, payload.lead_id, _link(payload, known))
        case LeadConsentChanged() as payload:
            permission = Permission(
                payload.consent_version, known, payload.purpose.value, payload.consent.value, payload.is_allowed
            )
            _add(changes, event, payload.lead_id, permission)
        case LeadErased() as payload:
            for lead_id in {payload.lead_id, *payload.lead_ids}:
                for purpose in (ConsentPurpose.PROFILING, ConsentPurpose.CONTACT):
                    ended = Permission(_ERASED_VERSION, known, purpose.value, Consent.WITHDRAWN.value, is_allowed=False)
                    _add(changes, event, lead_id, ended)
        case LeadMerged() as payload:
            _move(changes, event, payload.lead_id, payload.identity_version, into=payload.into_lead_id)
        case LeadSplit() as payload:
            _move(changes, event, payload.lead_id, payload.identity_version, into=None)
            changes.causes[LeadId(payload.from_lead_id)] = event
        case OutcomeRecorded() as payload if payload.what in _TELLING and not payload.is_conflict:
            _add(changes, event, payload.lead_id, _outcome(payload, known))
        case OpportunityChanged() as payload:
            deal = Deal(payload.object_version, known, f"deal:{payload.opportunity_id}", payload.result)
            _add(changes, event, payload.lead_id, deal)
        case _:
            pass  # an outcome that tells nothing about being a customer


def _add(changes: Changes, event: Event[Any], lead_id: UUID, record: Record) -> None:
    at_us = record.at_us if isinstance(record, HandoffSeen) else micros(event.occurred_at)
    changes.records.append(Happened(LeadId(lead_id), record, at_us))
    changes.causes[LeadId(lead_id)] = event


def _move(changes: Changes, event: Event[Any], lead_id: UUID, version: int, *, into: UUID | None) -> None:
    parent = None if into is None else LeadId(into)
    changes.moves.append(Move(LeadId(lead_id), parent, version, micros(event.recorded_at), micros(event.occurred_at)))
    changes.causes[LeadId(lead_id)] = event
    if parent is not None:
        changes.causes[parent] = event


def _link(payload: LeadLinked, known: int) -> Link:
    told = {
        "industry": payload.industry,
        "staff_band": payload.staff_band,
        "country": payload.country,
        "is_target_industry": _text(payload.is_target),
        "is_competitor": _text(payload.is_competitor),
        "is_customer": _text(payload.is_customer),
    }
    values = {name: value for name, value in told.items() if value is not None}
    return Link(payload.link_version, known, AccountId(payload.account_id), values)


def _handoff(event: Event[Any], payload: HandoffEvent) -> HandoffSeen:
    """Its state was entered when handoff decided so, which a touch or an opening in arrears happened before."""
    return HandoffSeen(
        version=payload.seq,
        known_us=micros(event.recorded_at),
        handoff_id=str(payload.handoff_id),
        state=payload.state.value,
        at_us=micros(event.recorded_at),
    )


def _outcome(payload: OutcomeRecorded, known: int) -> Deal:
    """A CRM's object has a version of its own; any other outcome of a handoff is as new as its recording."""
    if payload.object is not None and payload.object_version is not None:
        return Deal(payload.object_version, known, f"{payload.source}:{payload.object}", payload.what)
    about = payload.handoff_id or payload.outcome_id
    return Deal(micros(payload.recorded_at), known, f"outcome:{about}", payload.what)


def _text(value: bool | None) -> str | None:  # noqa: FBT001 - a field of three values
    return None if value is None else str(value).lower()
