"""Merges, splits, consent, erasure: nobody's work stops, of two open cycles one stays, the withdrawn are let go."""

from datetime import datetime, timedelta

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.things import Actor, ActorKind
from shared.contracts.kinds import Consent, ConsentPurpose
from shared.contracts.leads import LeadConsentChanged, LeadErased, LeadMerged, LeadSplit
from shared.contracts.outcomes import OpportunityChanged
from shared.ids import UserId, new_id
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import NOON, demoted, event_of, identified, lead_id, qualified, rep_id


async def _two(world: World) -> None:
    await world.reps(*crew("anna", "bert"))
    await world.agreement({"default": [member(rep_id("anna")), member(rep_id("bert"))]})
    await world.take(identified("kim"), identified("lee"))


def _merged(version: int = 1) -> LeadMerged:
    return LeadMerged(
        lead_id=lead_id("lee"),
        into_lead_id=lead_id("kim"),
        root_lead_id=lead_id("kim"),
        identity_version=version,
        reason="command",
    )


def _split(version: int = 2) -> LeadSplit:
    return LeadSplit(
        lead_id=lead_id("lee"),
        from_lead_id=lead_id("kim"),
        root_lead_id=lead_id("lee"),
        identity_version=version,
        reason="command",
    )


async def test_of_two_open_handoffs_the_further_stays_and_a_split_brings_the_other_back(
    database_of: DatabaseOf,
) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("kim"), qualified("lee"))
        kim, lee = await world.handoff_of(lead_id("kim")), await world.handoff_of(lead_id("lee"))
        await world.accept(lee.id, lee.owner_id)
        await world.take(event_of(_merged()))
        kim_after, lee_after = await world.handoff(kim.id), await world.handoff(lee.id)
        assert (kim_after.state, lee_after.state) == ("merged", "accepted")
        assert lee_after.root_lead_id == lead_id("kim")
        assert await world.gaps() == []

        await world.take(event_of(_split()), event_of(_merged()))  # the older merge again changes nothing
        kim_back, lee_back = await world.handoff(kim.id), await world.handoff(lee.id)
        assert (kim_back.state, kim_back.owner_id) == ("assigned", kim.owner_id)
        assert (lee_back.state, lee_back.root_lead_id) == ("accepted", lead_id("lee"))
        assert await world.gaps() == []


async def test_a_single_handoff_is_only_re_pointed(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("lee"))
        before = await world.handoff_of(lead_id("lee"))
        await world.take(event_of(_merged()))
        after = await world.handoff(before.id)
        assert (after.root_lead_id, after.token, after.state) == (lead_id("kim"), before.token, "assigned")
        await world.take(qualified("kim"))
        assert (await world.handoff(before.id)).evidence == 2
        assert await world.gaps() == []


async def test_consent_withdrawn_by_one_member_ends_the_persons_handoffs(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("kim"))
        await world.take(event_of(_merged()))
        withdrawn = LeadConsentChanged(
            lead_id=lead_id("lee"),
            consent_version=1,
            purpose=ConsentPurpose.CONTACT,
            consent=Consent.WITHDRAWN,
            is_allowed=False,
        )
        await world.take(event_of(withdrawn))
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.reason_code) == ("suppressed", "consent_withdrawn")
        assert (await world.rows("select sum(load) as load from rep"))[0].load == 0
        await world.take(qualified("kim", number=2, score_version=2))
        assert len(await world.rows("select id from handoff")) == 1
        assert await world.gaps() == []


async def test_an_erased_person_is_let_go_and_the_books_still_add_up(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("kim"))
        await world.take(event_of(LeadErased(lead_id=lead_id("kim"), lead_ids=[lead_id("kim")])))
        assert (await world.handoff_of(lead_id("kim"))).state == "suppressed"
        lead = (await world.rows("select * from lead where id = :id", id=lead_id("kim")))[0]
        assert (lead.is_erased, lead.facts) == (True, {})
        assert await world.gaps() == []


async def test_a_demotion_takes_back_what_nobody_accepted(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("kim"), qualified("lee"))
        lee = await world.handoff_of(lead_id("lee"))
        await world.accept(lee.id, lee.owner_id)
        await world.take(demoted("kim", score_version=2), demoted("lee", score_version=2))
        kim = await world.handoff_of(lead_id("kim"))
        assert (kim.state, kim.result) == ("nurture", "revoked")
        assert (await world.handoff(lee.id)).state == "accepted"
        assert await world.gaps() == []


async def test_a_demotion_that_overtakes_its_qualification_leaves_the_same_history(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(demoted("kim", score_version=2))
        await world.take(qualified("kim"))
        kim = await world.handoff_of(lead_id("kim"))
        assert (kim.state, kim.result, kim.cycle) == ("nurture", "revoked", 1)


async def test_a_deal_goes_its_way_by_object_version(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.touch(handoff.id, handoff.owner_id)

        def deal(result: str, version: int) -> OpportunityChanged:
            return OpportunityChanged(
                opportunity_id=new_id(),
                lead_id=lead_id("kim"),
                system="crm",
                external_id="1",
                crm_status=result,
                result=result,
                occurred_at=NOON,
                recorded_at=NOON,
                object_version=version,
            )

        await world.take(event_of(deal("open", 1)))
        assert (await world.handoff(handoff.id)).state == "opportunity"
        await world.take(event_of(deal("won", 3)))
        assert (await world.handoff(handoff.id)).state == "won"
        await world.take(event_of(deal("lost", 2)))
        assert (await world.handoff(handoff.id)).state == "won"
        await world.take(event_of(deal("lost", 4)))
        assert (await world.handoff(handoff.id)).state == "lost"
        await world.take(event_of(deal("open", 5)))
        reopened = await world.handoff(handoff.id)
        assert (reopened.state, reopened.owner_id) == ("opportunity", handoff.owner_id)
        assert await world.gaps() == []


async def test_a_result_that_comes_before_the_owner_is_taken_when_there_is_one(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)

        def deal(result: str, version: int, at: datetime) -> OpportunityChanged:
            return OpportunityChanged(
                opportunity_id=lead_id("deal"),
                lead_id=lead_id("kim"),
                system="crm",
                external_id="1",
                crm_status=result,
                result=result,
                occurred_at=at,
                recorded_at=at,
                object_version=version,
            )

        await world.take(event_of(deal("won", 2, NOON)))
        await world.take(event_of(deal("open", 1, NOON)))
        await world.take(qualified("kim"))
        assert (await world.handoff_of(lead_id("kim"))).state == "won"
        assert await world.events(lead_id("kim")) == ["opened", "assigned", "disposed", "closed"]
        assert await world.rows("select id from kept_result") == []
        assert await world.gaps() == []


async def test_a_deal_from_before_the_lead_qualified_is_another_story(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        old = OpportunityChanged(
            opportunity_id=lead_id("deal"),
            lead_id=lead_id("kim"),
            system="crm",
            external_id="1",
            crm_status="won",
            result="won",
            occurred_at=NOON - timedelta(days=30),
            recorded_at=NOON,
            object_version=1,
        )
        await world.take(event_of(old), qualified("kim"))
        assert (await world.handoff_of(lead_id("kim"))).state == "assigned"
        assert await world.gaps() == []


async def test_a_rejection_reroutes_or_closes_by_its_reason(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("kim"))
        first = await world.handoff_of(lead_id("kim"))
        await world.act(first.id, _reject(first, "wrong_territory_or_rep"))
        second = await world.handoff(first.id)
        assert (second.state, second.attempt) == ("assigned", 2)
        assert second.owner_id != first.owner_id
        await world.act(first.id, _reject(second, "no_need"))
        assert (await world.handoff(first.id)).state == "nurture"
        await world.take(qualified("kim", number=2, score_version=2))
        again = await world.handoff_of(lead_id("kim"))
        assert (again.cycle, again.state) == (2, "assigned")
        armed = await world.rows("select kind from clock where handoff_id = :id and state = 'armed'", id=first.id)
        assert armed == []
        assert await world.gaps() == []


def _reject(row: object, code: str) -> inputs.Reject:
    owner = UserId(row.owner_id)  # type: ignore[attr-defined]  # a row
    actor = Actor(ActorKind.REP, owner)
    return inputs.Reject(token=row.token, by=owner, actor=actor, reason=inputs.Reason(code=code))  # type: ignore[attr-defined]  # a row
