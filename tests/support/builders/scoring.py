"""Events about leads as ingest, handoff and feedback emit them, one builder each, all defaults, keyword overrides."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from shared.contracts.activities import ActivityCorrected, ActivityRecorded
from shared.contracts.envelope import Event, Payload
from shared.contracts.handoffs import HandoffClosed, HandoffOpened
from shared.contracts.kinds import ActivityKind, Channel, Consent, ConsentPurpose, Direction, HandoffState, VerifiedBy
from shared.contracts.leads import LeadConsentChanged, LeadIdentified, LeadLinked, LeadMerged, LeadSplit
from shared.contracts.outcomes import OpportunityChanged
from shared.ids import derived_id

__all__ = [
    "START",
    "activity",
    "consent",
    "correction",
    "deal",
    "handoff",
    "lead_id",
    "linked",
    "merged",
    "profile",
    "split",
]

START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
_SOURCE = UUID(int=77)
P = TypeVar("P", bound=Payload)


def lead_id(name: str) -> UUID:
    """The id of a lead named in a test."""
    return derived_id("test lead", name)


def _event(payload: P, at: datetime, *parts: object, learned: datetime | None = None) -> Event[P]:
    return Event.first(
        payload,
        source="/baton/test",
        occurred_at=at,
        recorded_at=learned or at,
        id=derived_id("test event", payload.TYPE, *parts),
    )


def activity(
    lead: str,
    kind: str,
    *,
    number: int = 1,
    at: datetime = START,
    learned: datetime | None = None,
    content: str | None = None,
    human: float = 1.0,
    direction: Direction = Direction.MARKETING,
) -> Event[ActivityRecorded]:
    """A person did something; lead, kind and number make its id."""
    payload = ActivityRecorded(
        activity_id=derived_id("test activity", lead, kind, number),
        lead_id=lead_id(lead),
        member_id=lead_id(lead),
        kind=ActivityKind(kind),
        direction=direction,
        recorded_at=learned or at,
        occurred_at=at,
        human=human,
        verified_by=VerifiedBy.SERVER_KEY,
        source_id=_SOURCE,
        sender="segment",
        channel=Channel.WEB,
        content=content,
    )
    return _event(payload, at, payload.activity_id, learned=learned)


def correction(
    recorded: Event[ActivityRecorded], *, human: float, at: datetime = START, number: int = 1
) -> Event[ActivityCorrected]:
    """The judgement of one activity changed."""
    payload = ActivityCorrected(
        activity_id=recorded.payload.activity_id,
        lead_id=recorded.payload.lead_id,
        member_id=recorded.payload.member_id,
        human=human,
        human_before=recorded.payload.human,
        human_reason="scanner",
    )
    return _event(payload, at, payload.activity_id, number)


def profile(lead: str, *, version: int = 1, at: datetime = START, is_known: bool = True, **values: str) -> Event[Any]:
    """A lead is known, as a VP who came by the web unless said."""
    told: dict[str, Any] = {"title_level": "vp", "entry_channel": "web", **values}
    payload = LeadIdentified(lead_id=lead_id(lead), profile_version=version, is_known=is_known, **told)
    return _event(payload, at, lead, version)


def linked(
    lead: str,
    account: str,
    *,
    version: int = 1,
    at: datetime = START,
    is_target: bool = True,
    is_competitor: bool | None = None,
    staff_band: str | None = None,
) -> Event[LeadLinked]:
    """A lead belongs to an account in a target industry unless said."""
    payload = LeadLinked(
        lead_id=lead_id(lead),
        account_id=derived_id("test account", account),
        link_version=version,
        by="domain",
        is_target=is_target,
        is_competitor=is_competitor,
        staff_band=staff_band,
    )
    return _event(payload, at, lead, version)


def consent(
    lead: str,
    *,
    version: int = 1,
    at: datetime = START,
    given: str = "granted",
    purpose: str = "profiling",
    is_allowed: bool | None = None,
) -> Event[Any]:
    """A permission, granted unless said."""
    payload = LeadConsentChanged(
        lead_id=lead_id(lead),
        consent_version=version,
        purpose=ConsentPurpose(purpose),
        consent=Consent(given),
        is_allowed=given == "granted" if is_allowed is None else is_allowed,
    )
    return _event(payload, at, lead, purpose, version)


def merged(lead: str, into: str, *, version: int = 1, at: datetime = START) -> Event[Any]:
    """A lead was joined under another."""
    payload = LeadMerged(
        lead_id=lead_id(lead),
        into_lead_id=lead_id(into),
        root_lead_id=lead_id(into),
        identity_version=version,
        reason="command",
    )
    return _event(payload, at, lead, version)


def split(lead: str, out_of: str, *, version: int = 2, at: datetime = START) -> Event[Any]:
    """A lead left its tree."""
    payload = LeadSplit(
        lead_id=lead_id(lead),
        from_lead_id=lead_id(out_of),
        root_lead_id=lead_id(lead),
        identity_version=version,
        reason="command",
    )
    return _event(payload, at, lead, version)


def handoff(lead: str, state: str, *, seq: int = 1, cycle: int = 1, at: datetime = START) -> Event[Any]:
    """A handoff of a lead in a state."""
    handoff_id = derived_id("test handoff", lead, cycle)
    told: dict[str, Any] = {
        "handoff_id": handoff_id,
        "lead_id": lead_id(lead),
        "root_lead_id": lead_id(lead),
        "motion": "new_business",
        "cycle": cycle,
        "seq": seq,
        "token": seq,
        "state": HandoffState(state),
        "tier": "scored",
        "product": "default",
        "agreement_id": "default",
        "agreement_version": 1,
        "actor": "system",
    }
    if state == "qualified":
        return _event(HandoffOpened(**told, policy="qualified"), at, handoff_id, seq)
    return _event(HandoffClosed(**told, result=state), at, handoff_id, seq)


def deal(lead: str, result: str, *, version: int = 1, at: datetime = START) -> Event[Any]:
    """A deal of a lead in the CRM."""
    payload = OpportunityChanged(
        opportunity_id=derived_id("test deal", lead),
        lead_id=lead_id(lead),
        system="crm",
        external_id=lead,
        crm_status=result,
        result=result,
        occurred_at=at,
        recorded_at=at,
        object_version=version,
    )
    return _event(payload, at, lead, version)


def days(number: float) -> timedelta:
    """A span of days."""
    return timedelta(days=number)
