"""Events into read-model rows: pure folds, one per kind of row. Repeats, delays and any order give the same row.

Each row carries the versions it rests on and ignores lower ones; the order of topics against each other means nothing.
"""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.console.domain.records import (
    AccountRow,
    AgreementRow,
    ClockRow,
    ConsentRow,
    EscalationRow,
    HandoffRow,
    LeadRow,
    OpportunityRow,
    Points,
)
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event
from shared.contracts.handoffs import (
    HandoffAccepted,
    HandoffAssigned,
    HandoffEscalated,
    HandoffEvent,
    HandoffOpened,
    HandoffPaused,
    HandoffRejected,
    HandoffRetracted,
    HandoffTouched,
)
from shared.contracts.leads import (
    PROFILE_ATTRIBUTES,
    LeadConsentChanged,
    LeadErased,
    LeadIdentified,
    LeadLinked,
    LeadMerged,
    LeadSplit,
)
from shared.contracts.outcomes import OpportunityChanged
from shared.contracts.scores import AccountQualified, AccountScored, LeadDemoted, LeadQualified, LeadScored

__all__ = [
    "fold_account_link",
    "fold_account_score",
    "fold_agreement",
    "fold_handoff",
    "fold_lead",
    "fold_opportunity",
    "lead_ids_of",
]

_ACCOUNT_TRAITS = ("domain", "industry", "staff_band", "country")
_ESCALATIONS_KEPT = 12


def lead_ids_of(event: Event[Any]) -> tuple[UUID, ...]:
    """The lead rows an event changes; empty for events of accounts, agreements and machinery."""
    payload = event.payload
    if isinstance(payload, LeadErased):
        return (payload.lead_id, *payload.lead_ids)
    if isinstance(payload, LeadMerged):
        return (payload.lead_id, payload.into_lead_id, payload.root_lead_id)
    if isinstance(payload, (LeadIdentified, LeadSplit, LeadLinked, LeadConsentChanged, LeadScored, HandoffEvent)):
        return (payload.lead_id,)
    return ()


def fold_lead(row: LeadRow, event: Event[Any]) -> LeadRow:
    """A lead's row after one event; the same row when the event is older than what it rests on, or of another lead."""
    match event.payload:
        case LeadIdentified() as payload if payload.profile_version > row.profile_version:
            traits = {name: str(value) for name in PROFILE_ATTRIBUTES if (value := getattr(payload, name)) is not None}
            external = tuple((one.system, one.id) for one in payload.external)
            return replace(
                row,
                profile_version=payload.profile_version,
                is_known=payload.is_known or row.is_known,
                traits=traits,
                external=external,
            )
        case LeadMerged() as payload if row.lead_id == payload.lead_id:
            if payload.identity_version <= row.identity_version:
                return row
            return replace(row, parent_id=payload.into_lead_id, identity_version=payload.identity_version)
        case LeadSplit() as payload if payload.identity_version > row.identity_version:
            return replace(row, parent_id=None, identity_version=payload.identity_version)
        case LeadLinked() as payload if payload.link_version > row.link_version:
            return replace(row, account_id=payload.account_id, link_version=payload.link_version)
        case LeadConsentChanged() as payload:
            return _with_consent(row, payload)
        case LeadErased():
            return replace(row, is_erased=True, external=())
        case LeadScored() as payload if payload.score_version > row.score_version:
            return _with_score(row, payload)
        case LeadScored() as payload if isinstance(payload, (LeadQualified, LeadDemoted)):
            return _with_decision(row, payload)
        case _:
            return row


def fold_handoff(row: HandoffRow | None, event: Event[Any]) -> HandoffRow | None:
    """A handoff's row after one event; an event with a lower `seq` changes nothing."""
    payload = event.payload
    if not isinstance(payload, HandoffEvent) or (row is not None and payload.seq <= row.seq):
        return row
    base = row or _new_handoff(payload, event.occurred_at)
    is_entry = row is None or payload.token != base.token or payload.state.value != base.state
    clocks = tuple(
        ClockRow(clock.clock_id, clock.kind, clock.due_at, clock.fire_at, clock.clock_state) for clock in payload.clocks
    )
    return _with_particulars(
        replace(
            base,
            lead_id=payload.lead_id,
            root_lead_id=payload.root_lead_id,
            account_id=payload.account_id,
            state=payload.state.value,
            token=payload.token,
            seq=payload.seq,
            state_at=event.occurred_at if is_entry else base.state_at,
            tier=payload.tier,
            product=payload.product,
            owner_id=payload.owner_id,
            attempt=payload.attempt,
            queue=payload.queue,
            priority=payload.priority,
            clocks=clocks,
            agreement_version=payload.agreement_version,
            last_name=payload.TYPE.split(".")[2],
            last_actor=payload.actor.value,
            last_actor_id=payload.actor_id,
            last_at=event.occurred_at,
        ),
        payload,
        event.occurred_at,
    )


def fold_account_link(row: AccountRow | None, payload: LeadLinked) -> AccountRow:
    """What a link says of the account; of several links the later one counts, absent values keep the earlier ones."""
    base = row or AccountRow(payload.account_id)
    traits = {name: str(value) for name in _ACCOUNT_TRAITS if (value := getattr(payload, name)) is not None}
    if payload.account_name:
        traits["name"] = payload.account_name
    return replace(base, traits={**base.traits, **traits})


def fold_account_score(row: AccountRow | None, payload: AccountScored | AccountQualified) -> AccountRow:
    """An account's row after a score; a lower version changes nothing."""
    base = row or AccountRow(payload.account_id)
    if payload.score_version < base.score_version:
        return base
    return replace(
        base,
        score_version=payload.score_version,
        score=payload.score,
        people=payload.people,
        engaged_people=payload.engaged_people,
        is_qualified=payload.is_qualified,
        reasons=tuple(Points(str(reason.lead_id), reason.points) for reason in payload.reasons),
    )


def fold_opportunity(row: OpportunityRow | None, payload: OpportunityChanged) -> OpportunityRow:
    """A deal's row after a change; a lower object version changes nothing."""
    if row is not None and payload.object_version <= row.object_version:
        return row
    return OpportunityRow(
        opportunity_id=payload.opportunity_id,
        lead_id=payload.lead_id,
        system=payload.system,
        external_id=payload.external_id,
        crm_status=payload.crm_status,
        result=payload.result,
        object_version=payload.object_version,
        occurred_at=payload.occurred_at,
        amount_minor=payload.amount_minor,
        currency=payload.currency,
    )


def fold_agreement(payload: AgreementPublished) -> AgreementRow:
    """A published version; it never changes afterwards."""
    return AgreementRow(
        agreement_id=payload.agreement_id,
        version=payload.version,
        effective_from=payload.effective_from,
        document=json.loads(payload.document),
        sha256=payload.sha256,
        signatures=tuple((str(one.user_id), one.team, one.signed_at) for one in payload.signatures),
        is_unsigned_default=payload.is_unsigned_default,
    )


def _with_consent(row: LeadRow, payload: LeadConsentChanged) -> LeadRow:
    purpose = payload.purpose.value
    known = row.consents.get(purpose)
    if known is not None and payload.consent_version <= known.version:
        return row
    mark = ConsentRow(payload.consent_version, payload.consent.value, payload.is_allowed)
    return replace(row, consents={**row.consents, purpose: mark})


def _with_score(row: LeadRow, payload: LeadScored) -> LeadRow:
    scored = replace(
        row,
        score_version=payload.score_version,
        score=payload.score,
        fit=payload.fit,
        engagement=payload.engagement,
        p_win=payload.p_win,
        is_qualified=payload.is_qualified,
        reasons=tuple(Points(reason.line, reason.points) for reason in payload.reasons),
        account_id=row.account_id or payload.account_id,
    )
    return _with_decision(scored, payload) if isinstance(payload, (LeadQualified, LeadDemoted)) else scored


def _with_decision(row: LeadRow, payload: LeadQualified | LeadDemoted) -> LeadRow:
    """The decision that stands is the one with the highest number; of one number the demotion comes later."""
    known = (row.number, row.decision.get("score_version", 0))
    if (payload.number, payload.score_version) <= known:
        return row
    decision = payload.model_dump(mode="json", exclude_none=True, exclude={"evidence", "reasons", "shadow", "draw"})
    return replace(row, number=payload.number, decision_id=payload.decision_id, decision=decision)


def _new_handoff(payload: HandoffEvent, at: datetime) -> HandoffRow:
    return HandoffRow(
        handoff_id=payload.handoff_id,
        lead_id=payload.lead_id,
        root_lead_id=payload.root_lead_id,
        state=payload.state.value,
        token=payload.token,
        seq=0,
        opened_at=at,
        state_at=at,
        motion=payload.motion,
        cycle=payload.cycle,
    )


def _with_particulars(row: HandoffRow, payload: HandoffEvent, at: datetime) -> HandoffRow:
    """What one type of event adds to the state that all carry."""
    match payload:
        case HandoffOpened():
            return replace(row, opened_at=min(row.opened_at, at))
        case HandoffAssigned():
            return replace(row, decision_id=payload.decision_id, pool=payload.pool, assigned_at=at, reason_code=None)
        case HandoffAccepted():
            return replace(row, accepted_at=at)
        case HandoffRejected():
            return replace(row, reason_code=payload.reason_code)
        case HandoffTouched():
            return replace(row, touched_at=min(row.touched_at or payload.touched_at, payload.touched_at))
        case HandoffPaused():
            return replace(row, reason_code=payload.reason_code, paused_until=payload.until_at)
        case HandoffEscalated() if not isinstance(payload, HandoffRetracted):
            kinds = {clock.clock_id: clock.kind for clock in payload.clocks}
            rung = EscalationRow(
                payload.level, payload.cause, at, kinds.get(payload.clock_id, ""), payload.is_late_by_system
            )
            return replace(row, escalations=(*row.escalations, rung)[-_ESCALATIONS_KEPT:])
        case _:
            return row
