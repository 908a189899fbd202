"""Merges, splits, consent, erasure: nobody's work stops, of two open cycles one stays, the withdrawn are let go."""

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.things import Actor, ActorKind
from shared.contracts.kinds import Consent, ConsentPurpose
from shared.contracts.leads import LeadConsentChanged, LeadErased, LeadMerged, LeadSplit
from shared.ids import UserId, derived_id
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import demoted, event_of, identified, lead_id, linked, merged, qualified, rep_id

ACME, BETA = (derived_id("account of a test", name) for name in ("acme", "beta"))


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


async def test_moves_of_two_people_that_overtake_each_other_name_the_true_root(database_of: DatabaseOf) -> None:
    """Lee joined Kim before Kim joined Max; heard the other way round, the event of Lee still names Kim as root."""
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(qualified("lee"), qualified("max"))
        lee, top = await world.handoff_of(lead_id("lee")), await world.handoff_of(lead_id("max"))
        await world.take(merged("kim", "max"), event_of(_merged()))
        roots = await world.rows("select root_id from lead")
        assert {row.root_id for row in roots} == {lead_id("max")}
        lee_after, top_after = await world.handoff(lee.id), await world.handoff(top.id)
        assert {lee_after.state, top_after.state} == {"merged", "assigned"}
        assert (lee_after.root_lead_id, top_after.root_lead_id) == (lead_id("max"), lead_id("max"))
        await world.take(event_of(_split()))
        assert (await world.handoff(lee.id)).root_lead_id == lead_id("lee")
        assert {(await world.handoff(each)).state for each in (lee.id, top.id)} == {"assigned"}
        assert await world.gaps() == []


async def test_a_split_brings_nothing_back_into_a_scope_that_was_taken_meanwhile(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _two(world)
        await world.take(identified("ann"), linked("kim", "acme"), linked("lee", "beta"), linked("ann", "beta"))
        await world.take(qualified("kim", account_id=ACME), qualified("lee", account_id=BETA))
        kim, lee = await world.handoff_of(lead_id("kim")), await world.handoff_of(lead_id("lee"))
        await world.accept(kim.id, kim.owner_id)
        await world.take(event_of(_merged()))
        assert (await world.handoff(lee.id)).state == "merged"
        await world.take(qualified("ann", account_id=BETA))
        ann = await world.handoff_of(lead_id("ann"))
        await world.take(event_of(_split()))
        assert (await world.handoff(lee.id)).state == "merged"
        assert ((await world.handoff(kim.id)).state, (await world.handoff(ann.id)).state) == ("accepted", "assigned")
        assert await world.gaps() == []
