"""Which events make a line of a lead's timeline, and the few values of each that the line needs.

A score that did not change, a link that says nothing new and the machinery's own events make no line.
"""

from typing import Any

from services.console.domain.records import LeadRow, TimelineRow
from shared.contracts.envelope import Event
from shared.contracts.handoffs import HandoffEvent, HandoffRescheduled
from shared.contracts.leads import LeadConsentChanged, LeadIdentified
from shared.contracts.outcomes import OutcomeRecorded
from shared.contracts.scores import AccountQualified, AccountScored, LeadDemoted, LeadQualified, LeadScored

__all__ = ["history_row"]

# The values a line may need; everything else of an event is not kept in the timeline.
_KEPT = frozenset(
    {
        "kind", "name", "direction", "actor_user_id", "human", "human_reason", "traffic_source", "medium", "campaign",
        "page_path", "content", "asset", "score", "fit", "engagement", "agreement_version", "is_known", "reason", "by",
        "purpose", "consent", "state", "tier", "owner_id", "queue", "actor", "actor_id", "pool", "is_reassigned",
        "reason_code", "until_on", "is_late_evidence", "level", "cause", "is_late_by_system", "is_breach",
        "disposition", "result", "what", "source", "amount_minor", "currency", "system", "ground", "ruling",
        "engaged_people", "people",
    }
)  # fmt: skip
# What Sales did is told by the handoff's own events already.
_TOLD_BY_HANDOFF = frozenset({"handoff"})


def history_row(event: Event[Any], before: LeadRow | None) -> TimelineRow | None:
    """The line of an event, or None when it makes none; `before` is the lead's row before the event."""
    payload = event.payload
    lead_id = getattr(payload, "lead_id", None)
    if lead_id is None or not _is_told(payload, before):
        return None
    _, noun, verb, _ = payload.TYPE.split(".")
    details = payload.model_dump(mode="json", exclude_none=True, include=_KEPT)
    handoff_id = payload.handoff_id if isinstance(payload, HandoffEvent) else None
    return TimelineRow(event.id, lead_id, f"{noun}.{verb}", event.occurred_at, event.recorded_at, details, handoff_id)


def _is_told(payload: Any, before: LeadRow | None) -> bool:  # noqa: ANN401  # a payload of any type
    match payload:
        case LeadQualified() | LeadDemoted() | AccountQualified():
            return True
        case LeadScored():
            return before is None or payload.score != before.score
        case AccountScored() | HandoffRescheduled():
            return False
        case LeadIdentified():
            return before is None or before.profile_version == 0 or (payload.is_known and not before.is_known)
        case LeadConsentChanged():
            known = before.consents.get(payload.purpose.value) if before else None
            return known is None or known.consent != payload.consent.value
        case OutcomeRecorded():
            return payload.source not in _TOLD_BY_HANDOFF
        case _:
            return True
