"""Leads by version, the stage that is shown, and which promise a touch serves."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.handoff.domain.evidence import is_touch, names_no_actor, served_by
from services.handoff.domain.lifecycle import Clock, ClockKind, ClockState, inputs
from services.handoff.domain.mirror import consented, erased, identified, linked, moved, new_lead, scored, view_of
from services.handoff.domain.record import StoredClock, Times
from services.handoff.domain.sla import begin
from services.handoff.domain.stage import Stage, stage_of
from shared.contracts.activities import ActivityRecorded
from shared.contracts.kinds import Consent, ConsentPurpose
from shared.contracts.leads import LeadConsentChanged
from shared.contracts.scores import LeadScored
from shared.ids import ClockId, LeadId, UserId, new_id
from tests.support.builders.handoff import NOON, qualified
from tests.support.builders.handoff import identified as identified_event
from tests.support.builders.handoff import linked as linked_event
from tests.unit.handoff.machine import ANNA, BERT, TERMS, in_state

LEAD = new_lead(LeadId(UUID(int=1)))


def _consent(version: int, *, is_allowed: bool, purpose: ConsentPurpose = ConsentPurpose.CONTACT) -> LeadConsentChanged:
    consent = Consent.GRANTED if is_allowed else Consent.WITHDRAWN
    return LeadConsentChanged(
        lead_id=LEAD.id, consent_version=version, purpose=purpose, consent=consent, is_allowed=is_allowed
    )


def test_a_lower_version_changes_nothing() -> None:
    named = identified(LEAD, identified_event("kim", profile_version=2, country="DE").payload)
    assert named.facts["country"] == "DE"
    assert named.facts["is_known"] == "true"
    assert identified(named, identified_event("kim", profile_version=1, country="FR").payload) is named
    placed = linked(named, linked_event("kim", "acme", link_version=2).payload)
    assert linked(placed, linked_event("kim", "other").payload) is placed
    rated = scored(placed, LeadScored.model_validate(qualified("kim").payload.model_dump()))
    assert rated.facts["score"] == "70"
    assert scored(rated, LeadScored.model_validate(qualified("kim").payload.model_dump())) is rated


def test_consent_is_kept_per_purpose_and_sharing_does_not_stop_a_call() -> None:
    assert LEAD.has_consent
    refused = consented(LEAD, _consent(2, is_allowed=False))
    assert not refused.has_consent
    assert consented(refused, _consent(1, is_allowed=True)) is refused
    assert consented(refused, _consent(3, is_allowed=True)).has_consent
    assert consented(LEAD, _consent(1, is_allowed=False, purpose=ConsentPurpose.SHARING)).has_consent


def test_an_erased_lead_keeps_its_id_and_nothing_else() -> None:
    gone = erased(identified(LEAD, identified_event("kim").payload))
    assert (gone.is_erased, gone.is_suppressed, dict(gone.facts)) == (True, True, {})


def test_a_view_takes_the_leads_own_facts_before_the_accounts() -> None:
    lead = moved(replace(LEAD, facts={"country": "DE"}), parent_id=None, root_id=LEAD.id, version=3)
    view = view_of(lead, account_facts={"country": "US", "industry": "it"}, more={"tier": "scored"})
    assert view.facts == {"country": "DE", "industry": "it", "tier": "scored"}


@pytest.mark.parametrize(
    ("state", "facts", "stage"),
    [
        (None, {}, Stage.ANONYMOUS),
        (None, {"is_known": "true"}, Stage.KNOWN),
        (None, {"is_known": "true", "engagement": "10"}, Stage.ENGAGED),
        ("merged", {"is_known": "true"}, Stage.KNOWN),
        ("queued", {}, Stage.MARKETING_QUALIFIED),
        ("working", {}, Stage.SALES_ACCEPTED),
        ("opportunity", {}, Stage.SALES_QUALIFIED),
        ("nurture", {}, Stage.NURTURE),
        ("won", {}, Stage.CUSTOMER),
        ("lost", {}, Stage.LOST),
    ],
)
def test_the_stage_follows_from_the_handoff(state: str | None, facts: dict[str, str], stage: Stage) -> None:
    handoff = None if state is None else in_state(state)
    assert stage_of(handoff, facts, is_suppressed=False, engagement_floor=10) is stage
    assert stage_of(handoff, facts, is_suppressed=True, engagement_floor=10) is Stage.SUPPRESSED


def test_a_deal_and_a_disposition_show() -> None:
    deal = replace(in_state("opportunity"), has_deal=True)
    assert stage_of(deal, {}, is_suppressed=False, engagement_floor=10) is Stage.OPPORTUNITY
    recycled = replace(in_state("nurture"), result="recycle")
    assert stage_of(recycled, {}, is_suppressed=False, engagement_floor=10) is Stage.RECYCLED


def _activity(**fields: object) -> ActivityRecorded:
    named = {
        "activity_id": new_id(),
        "lead_id": LEAD.id,
        "member_id": LEAD.id,
        "kind": "call_connected",
        "direction": "sales",
        "actor_user_id": ANNA,
        "recorded_at": NOON,
        "occurred_at": NOON,
        "human": 1.0,
        "verified_by": "server_key",
        "source_id": new_id(),
        "sender": "crm",
        "channel": "call",
    }
    return ActivityRecorded.model_validate({**named, **fields})


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"kind": "meeting_held"}, True),
        ({"direction": "marketing"}, False),
        ({"actor_user_id": None}, False),
        ({"human": 0.2}, False),
        ({"kind": "page_view"}, False),
    ],
)
def test_only_a_human_try_of_sales_is_a_touch(fields: dict[str, object], *, counts: bool) -> None:
    activity = _activity(**fields)
    assert is_touch(activity) is counts
    assert not (counts and names_no_actor(activity.to_json()))


def test_an_activity_of_nobody_in_sales_is_told_from_its_bytes() -> None:
    assert names_no_actor(_activity(kind="page_view", actor_user_id=None).to_json())
    assert not names_no_actor(_activity().to_json())


def _times() -> Times:
    return Times("default", 1, NOON, NOON, NOON, assigned_at=NOON)


def _stored(clock: Clock, *, state: ClockState) -> StoredClock:
    timing = begin(TERMS.plan("scored", ClockKind.TOUCH), at=NOON, calendar=None)
    return StoredClock(ClockId(new_id()), clock, state, timing, timing.due_at, timing.due_at, rep_id=ANNA)


def _same(one: UserId, other: UserId) -> bool:
    return one == other


def test_a_touch_serves_the_running_promise_of_its_owner() -> None:
    handoff = in_state("accepted")
    clocks = {handoff.clocks[0].number: _stored(handoff.clocks[0], state=ClockState.ARMED)}

    def serve(hours: float, actor: UserId) -> object:
        touched = NOON + timedelta(hours=hours)
        return served_by(handoff, _times(), clocks, touched_at=touched, actor_id=actor, is_same_side=_same)

    assert serve(1, ANNA) == inputs.Touch(touched_at=NOON + timedelta(hours=1), is_in_time=True)
    assert serve(5, ANNA) == inputs.Touch(touched_at=NOON + timedelta(hours=5), is_in_time=False)
    assert serve(1, BERT) is None
    assert serve(-1, ANNA) is None


def test_a_late_touch_serves_the_promise_it_was_in_time_for() -> None:
    handoff = replace(in_state("qualified"), missed_touches=(7, 8, 9))
    clocks = {
        7: replace(_stored(Clock(7, ClockKind.TOUCH, 1), state=ClockState.BREACHED), rep_id=BERT),
        9: _stored(Clock(9, ClockKind.TOUCH, 1), state=ClockState.BREACHED),
    }

    def serve(hours: float) -> object:
        touched = NOON + timedelta(hours=hours)
        return served_by(handoff, _times(), clocks, touched_at=touched, actor_id=ANNA, is_same_side=_same)

    assert serve(2) == inputs.LateEvidence(number=9, touched_at=NOON + timedelta(hours=2))
    assert serve(6) is None
