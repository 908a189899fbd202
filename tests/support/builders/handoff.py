"""Builders of what handoff reads: events of leads and scores, agreements, reps. One thing each, all defaults."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.activities import ActivityRecorded
from shared.contracts.agreement import canonical_json, default_agreement, load_agreement, sha256_of
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event, Payload
from shared.contracts.leads import LeadIdentified, LeadLinked, LeadMerged
from shared.contracts.outcomes import OpportunityChanged
from shared.contracts.scores import LeadDemoted, LeadQualified
from shared.ids import derived_id, new_id

__all__ = [
    "NOON",
    "agreement_event",
    "called",
    "deal",
    "demoted",
    "event_of",
    "identified",
    "lead_id",
    "linked",
    "merged",
    "qualified",
    "rep_id",
    "rep_row",
]

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)  # a Wednesday


def lead_id(name: str) -> UUID:
    return derived_id("lead of a test", name)


def rep_id(name: str) -> UUID:
    return derived_id("rep of a test", name)


def event_of(payload: Payload, *, at: datetime = NOON, source: str = "/baton/test") -> Event[Any]:
    return Event.first(payload, source=source, occurred_at=at, recorded_at=at, id=new_id())


def identified(name: str, **fields: Any) -> Event[LeadIdentified]:  # noqa: ANN401 - any field
    named = {"lead_id": lead_id(name), "profile_version": 1, "is_known": True, "title_level": "vp"}
    return event_of(LeadIdentified.model_validate({**named, **fields}))


def linked(name: str, account: str, **fields: Any) -> Event[LeadLinked]:  # noqa: ANN401 - any field
    account_id = derived_id("account of a test", account)
    named = {"lead_id": lead_id(name), "account_id": account_id, "link_version": 1, "by": "domain"}
    return event_of(LeadLinked.model_validate({**named, **fields}))


def merged(name: str, into: str, **fields: Any) -> Event[LeadMerged]:  # noqa: ANN401 - any field
    named = {
        "lead_id": lead_id(name),
        "into_lead_id": lead_id(into),
        "root_lead_id": lead_id(into),
        "identity_version": 1,
        "reason": "verified_email",
    }
    return event_of(LeadMerged.model_validate({**named, **fields}))


def called(name: str, by: str, *, at: datetime = NOON, **fields: Any) -> Event[ActivityRecorded]:  # noqa: ANN401 - any
    """Somebody of Sales called the lead."""
    named = {
        "activity_id": new_id(),
        "lead_id": lead_id(name),
        "member_id": lead_id(name),
        "kind": "call_attempted",
        "direction": "sales",
        "actor_user_id": rep_id(by),
        "recorded_at": at,
        "occurred_at": at,
        "human": 1.0,
        "verified_by": "server_key",
        "source_id": new_id(),
        "sender": "crm",
        "channel": "call",
    }
    return event_of(ActivityRecorded.model_validate({**named, **fields}), at=at)


def deal(
    name: str,
    result: str,
    *,
    version: int = 1,
    deal: str = "deal",
    at: datetime = NOON,
    **fields: Any,  # noqa: ANN401 - any
) -> Event[OpportunityChanged]:
    """A deal as the CRM tells it of a lead."""
    named = {
        "opportunity_id": derived_id("deal of a test", deal),
        "lead_id": lead_id(name),
        "system": "crm",
        "external_id": deal,
        "crm_status": result,
        "result": result,
        "occurred_at": at,
        "recorded_at": at,
        "object_version": version,
    }
    return event_of(OpportunityChanged.model_validate({**named, **fields}), at=at)


def qualified(name: str, *, at: datetime = NOON, **fields: Any) -> Event[LeadQualified]:  # noqa: ANN401 - any field
    return event_of(LeadQualified.model_validate(_decision(name, at, fields)), at=at)


def demoted(name: str, *, at: datetime = NOON, **fields: Any) -> Event[LeadDemoted]:  # noqa: ANN401 - any field
    values = _decision(name, at, {"is_qualified": False, "score": 40, **fields})
    return event_of(LeadDemoted.model_validate(values), at=at)


def _decision(name: str, at: datetime, fields: dict[str, Any]) -> dict[str, Any]:
    number = fields.get("number", 1)
    return {
        "lead_id": lead_id(name),
        "score_version": number,
        "score": 70,
        "fit": 40,
        "engagement": 30,
        "is_qualified": True,
        "reasons": [{"line": "pricing_viewed", "points": 20}],
        "agreement_id": "default",
        "agreement_version": 1,
        "decision_id": derived_id("qualification of a test", name, number),
        "number": 1,
        "product": "default",
        "policy": "qualified",
        "tier": "scored",
        "propensity": 1.0,
        "facts": [],
        "lines": [],
        "crossed_at": at,
        "entry_channel": "web",
        **fields,
    }


def agreement_event(
    *, members: dict[str, list[dict[str, Any]]], version: int = 2, changes: dict[str, Any] | None = None
) -> Event[AgreementPublished]:
    """The default agreement with members in its pools; changes are merged over its sections, two levels deep."""
    value = default_agreement().model_dump(mode="json", by_alias=True, exclude_none=True)
    value["agreement"] |= {"version": version, "effective_from": "2026-01-02T00:00:00Z"}
    for pool in value["routing"]["pools"]:
        pool["members"] = members.get(pool["name"], [])
    for section, fields in (changes or {}).items():
        value[section] |= fields
    document = canonical_json(load_agreement(orjson.dumps(value).decode()))
    payload = AgreementPublished(
        agreement_id="default",
        version=version,
        effective_from=datetime(2026, 1, 2, tzinfo=UTC),
        document=document,
        sha256=sha256_of(document),
        is_unsigned_default=False,
    )
    return event_of(payload)


def rep_row(name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """A row of the table `rep`."""
    return {
        "id": rep_id(name),
        "team_id": None,
        "name": name,
        "email": f"{name}@sales.example",
        "slack_id": None,
        "calendar": None,
        "languages": [],
        "skills": [],
        "is_active": True,
        "is_away": False,
        "away_because": None,
        "load": 0,
        "expiries": 0,
        "moved": None,
        "version": 1,
        "changed_at": NOON,
        **fields,
    }
