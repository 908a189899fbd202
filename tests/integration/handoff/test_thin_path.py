"""A qualified lead gets a rep, the rep takes it, and what is written adds up."""

from services.handoff.domain.lifecycle import Verdict
from tests.integration.handoff.world import DatabaseOf, crew, member, world_of
from tests.support.builders.handoff import identified, lead_id, qualified, rep_id


async def test_a_qualified_lead_is_assigned_accepted_and_touched(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        anna, bert = rep_id("anna"), rep_id("bert")
        await world.reps(*crew("anna", "bert"))
        await world.agreement({"default": [member(anna), member(bert)]})
        await world.take(identified("kim"), qualified("kim"))

        handoff = await world.handoff_of(lead_id("kim"))
        assert handoff.state == "assigned"
        assert handoff.owner_id in {anna, bert}
        clock = await world.clock(handoff.id, "accept")
        assert clock.due_at.isoformat() == "2026-06-10T16:00:00+00:00"

        accepted = await world.accept(handoff.id, handoff.owner_id)
        assert accepted.is_ok
        again = await world.accept(handoff.id, handoff.owner_id, token=handoff.token)
        assert again.decision.verdict is Verdict.STALE
        assert (await world.touch(handoff.id, handoff.owner_id)).is_ok

        handoff = await world.handoff(handoff.id)
        assert handoff.state == "working"
        assert await world.events(lead_id("kim")) == ["opened", "assigned", "accepted", "touched"]
        assert await world.gaps() == []


async def test_the_same_qualification_again_changes_nothing(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"), qualified("kim"))
        assert await world.events(lead_id("kim")) == ["opened", "assigned"]
        await world.take(qualified("kim", number=2, score_version=2))
        assert await world.events(lead_id("kim")) == ["opened", "assigned", "attached"]
        assert await world.gaps() == []
