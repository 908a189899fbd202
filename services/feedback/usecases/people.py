"""What other services say about people, kept for reports and training: identities, touches, scores as emitted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.feedback.domain.attribution import NOT_TOUCHING, Touching
from services.feedback.store import loop, money, people
from services.feedback.usecases.agreements import agreement_of
from shared.contracts.activities import ActivityCorrected, ActivityRecorded
from shared.contracts.envelope import Event
from shared.contracts.leads import (
    LeadConsentChanged,
    LeadErased,
    LeadIdentified,
    LeadLinked,
    LeadMerged,
    LeadSplit,
)
from shared.contracts.scores import LeadQualified, LeadScored
from shared.db.engine import Tx

LeadEvent = LeadIdentified | LeadMerged | LeadSplit | LeadLinked | LeadConsentChanged | LeadErased
ActivityEvent = ActivityRecorded | ActivityCorrected
ScoreEvent = LeadScored | LeadQualified
EVER = datetime.min.replace(tzinfo=UTC)


async def fold_leads(tx: Tx, received: Sequence[Event[LeadEvent]]) -> None:
    """Keep who is who: profiles by version, trees by pointer, accounts by link."""
    named = {lead_id for event in received for lead_id in _named(event.payload)}
    await people.make_leads(tx, named)
    await people.lock_trees(tx, named)
    for event in received:
        await _fold_lead(tx, event)


async def record_activities(tx: Tx, received: Sequence[Event[ActivityEvent]]) -> None:
    """Keep what may be a touchpoint, by the member that did it; deals of that person are credited again."""
    told = [event.payload for event in received]
    touches = [
        (_touching(each), each.recorded_at)
        for each in told
        if isinstance(each, ActivityRecorded) and each.direction == "marketing" and each.kind not in NOT_TOUCHING
    ]
    await people.make_leads(tx, {touch.lead_id for touch, _ in touches})
    await loop.add_touches(tx, touches)
    corrected = [each for each in told if isinstance(each, ActivityCorrected)]
    for each in corrected:
        await loop.correct_touch(tx, each.activity_id, human=each.human)
    if touches:
        since = min(touch.occurred_at for touch, _ in touches)
        await money.note_credit_due(tx, sorted({touch.lead_id for touch, _ in touches}), since=since)
    if corrected:
        await money.note_credit_due(tx, sorted({each.member_id for each in corrected}), since=EVER)


async def record_scores(tx: Tx, received: Sequence[Event[ScoreEvent]]) -> None:
    """Keep when a lead was first engaged, and every qualification with its facts as emitted."""
    await people.make_leads(tx, {event.payload.lead_id for event in received})
    engaged: dict[UUID, datetime] = {}
    floors = {version: await _engagement_floor(tx, version) for version in _versions(received)}
    for event in received:
        told = event.payload
        if told.engagement >= floors[told.agreement_version]:
            engaged[told.lead_id] = min(event.occurred_at, engaged.get(told.lead_id, event.occurred_at))
    await people.set_engaged(tx, engaged)
    await loop.add_decisions(
        tx, [_decision(event, event.payload) for event in received if isinstance(event.payload, LeadQualified)]
    )


def _versions(received: Sequence[Event[ScoreEvent]]) -> set[int]:
    return {event.payload.agreement_version for event in received}


async def _engagement_floor(tx: Tx, version: int) -> int:
    return (await agreement_of(tx, version)).criteria_of("default").thresholds.engagement_floor


def _named(told: LeadEvent) -> tuple[UUID, ...]:
    match told:
        case LeadMerged():
            return (told.lead_id, told.into_lead_id, told.root_lead_id)
        case LeadSplit():
            return (told.lead_id, told.from_lead_id, told.root_lead_id)
        case LeadErased():
            return (told.lead_id, *told.lead_ids)
        case _:
            return (told.lead_id,)


async def _fold_lead(tx: Tx, event: Event[LeadEvent]) -> None:
    told = event.payload
    match told:
        case LeadIdentified():
            await people.identify(
                tx,
                people.Identified(
                    lead_id=told.lead_id,
                    version=told.profile_version,
                    is_known=told.is_known,
                    at=event.occurred_at,
                    entry_channel=told.entry_channel or "",
                    traffic_source=told.traffic_source or "",
                    campaign=told.campaign or "",
                ),
            )
        case LeadMerged():
            await _move(tx, told.lead_id, told.into_lead_id, version=told.identity_version)
        case LeadSplit():
            await _move(tx, told.lead_id, None, version=told.identity_version)
        case LeadLinked():
            await people.link(tx, told.lead_id, told.account_id, version=told.link_version)
        case LeadConsentChanged():
            await people.set_consent(
                tx,
                told.lead_id,
                purpose=told.purpose.value,
                version=told.consent_version,
                is_allowed=told.is_allowed,
            )
        case LeadErased():
            await people.erase(tx, told.lead_ids)


async def _move(tx: Tx, lead_id: UUID, parent_id: UUID | None, *, version: int) -> None:
    """A merge or split changes whose touches count: deals of both trees are credited again."""
    before = await people.members_of(tx, [lead_id])
    if await people.move(tx, lead_id, parent_id, version=version):
        after = await people.members_of(tx, [lead_id])
        await money.note_credit_due(tx, sorted({*before, *after}), since=EVER)


def _touching(told: ActivityRecorded) -> Touching:
    return Touching(
        activity_id=told.activity_id,
        lead_id=told.member_id,
        kind=told.kind.value,
        direction=told.direction.value,
        human=told.human,
        occurred_at=told.occurred_at,
        channel=told.channel.value,
        traffic_source=told.traffic_source or "",
        medium=told.medium or "",
        campaign=told.campaign or "",
        referrer_host=told.referrer_host or "",
        asset=told.asset or "",
    )


def _decision(event: Event[ScoreEvent], told: LeadQualified) -> loop.Decision:
    return loop.Decision(
        decision_id=told.decision_id,
        lead_id=told.lead_id,
        decided_at=told.crossed_at,
        recorded_at=event.recorded_at,
        policy=told.policy,
        propensity=told.propensity,
        score=told.score,
        fit=told.fit,
        engagement=told.engagement,
        p_win=told.p_win,
        model_id=told.model_id,
        agreement_version=told.agreement_version,
        product=told.product,
        entry_channel=told.entry_channel,
        campaign=told.campaign or "",
        facts=[{"name": fact.name, "value": fact.value, "known_at": fact.known_at.isoformat()} for fact in told.facts],
        lines={line.line: line.points for line in told.lines},
        shadow={str(score.model_id): score.p_win for score in told.shadow},
    )
