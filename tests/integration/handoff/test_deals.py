"""Deals of a CRM: each by its own version, each counted for one handoff, whoever it is told of and in which order."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.envelope import Event
from shared.errors import Busy
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import NOON, deal, identified, lead_id, qualified, rep_id

ROUNDS = 6
TRIES_MAX = 20  # a batch that met another one is run again, as the consumer does


async def _owned(world: World, *names: str) -> None:
    await world.reps(*crew("anna"))
    await world.agreement({"default": [member(rep_id("anna"), load_max=100, leads_per_30_days=1000)]})
    await world.take(*(identified(name) for name in names))
    await world.take(*(qualified(name) for name in names))


async def _state(world: World, name: str) -> str:
    return str((await world.handoff_of(lead_id(name))).state)


async def test_a_deal_goes_its_way_by_object_version(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned(world, "kim")
        handoff = await world.handoff_of(lead_id("kim"))
        await world.touch(handoff.id, handoff.owner_id)
        for result, version, state in (
            ("open", 1, "opportunity"),
            ("won", 3, "won"),
            ("lost", 2, "won"),
            ("lost", 4, "lost"),
            ("open", 5, "opportunity"),
        ):
            await world.take(deal("kim", result, version=version))
            assert await _state(world, "kim") == state
        assert (await world.handoff(handoff.id)).owner_id == handoff.owner_id
        assert await world.gaps() == []


async def test_a_second_deal_has_versions_of_its_own(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned(world, "kim")
        await world.take(deal("kim", "lost", version=7, deal="first"))
        assert await _state(world, "kim") == "lost"
        await world.take(deal("kim", "open", version=1, deal="second"))
        assert await _state(world, "kim") == "opportunity"
        await world.take(deal("kim", "won", version=2, deal="second"))
        assert await _state(world, "kim") == "won"
        await world.take(deal("kim", "lost", version=8, deal="first"))
        assert await _state(world, "kim") == "won"
        assert await world.gaps() == []


async def test_a_result_that_comes_before_the_owner_is_taken_when_there_is_one(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(deal("kim", "won", version=2), deal("kim", "open", version=1), qualified("kim"))
        assert await _state(world, "kim") == "won"
        assert await world.events(lead_id("kim")) == ["opened", "assigned", "disposed", "closed"]
        assert await world.rows("select id from kept_result") == []
        assert await world.gaps() == []


@pytest.mark.parametrize("is_deal_first", [True, False])
async def test_a_deal_from_long_before_the_lead_qualified_is_another_story(
    database_of: DatabaseOf, *, is_deal_first: bool
) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        events: list[Event[Any]] = [deal("kim", "won", at=NOON - timedelta(days=30)), qualified("kim")]
        for event in events if is_deal_first else reversed(events):
            await world.take(event)
        assert await _state(world, "kim") == "assigned"
        assert await world.gaps() == []


async def test_a_result_of_the_same_day_counts_though_the_day_began_before(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned(world, "kim")
        await world.take(deal("kim", "won", at=NOON.replace(hour=0)))
        assert await _state(world, "kim") == "won"


@pytest.mark.parametrize("is_newer_first", [False, True])
async def test_a_deal_told_of_another_lead_counts_there_alone(database_of: DatabaseOf, *, is_newer_first: bool) -> None:
    async with world_of(database_of) as world:
        await _owned(world, "kim", "lee")
        told = [deal("kim", "won", version=1), deal("lee", "won", version=2)]
        for event in reversed(told) if is_newer_first else told:
            await world.take(event)
        assert await _state(world, "lee") == "won"
        assert await _state(world, "kim") == ("assigned" if is_newer_first else "working")
        assert (await world.handoff_of(lead_id("kim"))).owner_id == rep_id("anna")
        assert await world.gaps() == []


async def test_what_was_kept_of_a_deal_goes_with_it_to_the_other_lead(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned(world, "lee")
        await world.take(deal("kim", "won", version=1), deal("lee", "won", version=2))
        await world.take(identified("kim"), qualified("kim"))
        assert (await _state(world, "kim"), await _state(world, "lee")) == ("assigned", "won")
        assert await world.gaps() == []


async def test_a_correction_of_a_former_cycle_leaves_the_new_one_alone(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned(world, "kim")
        await world.take(deal("kim", "won", version=1))
        await world.advance(days=40)
        again = qualified("kim", number=2, at=world.now, policy="hand_raiser", tier="hand_raiser")
        await world.take(again)
        await world.take(deal("kim", "won", version=2, amount_minor=5, currency="EUR"))
        second = await world.handoff_of(lead_id("kim"))
        assert (second.cycle, second.state) == (2, "assigned")
        await world.take(deal("kim", "won", version=3, at=world.now))  # it was revived in the new cycle
        assert await _state(world, "kim") == "won"
        assert await world.gaps() == []


async def test_one_deal_told_of_two_leads_at_once_counts_for_one(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        names = [f"{name} {number}" for number in range(ROUNDS) for name in ("kim", "lee")]
        await _owned(world, *names)
        for number in range(ROUNDS):
            first, second = f"kim {number}", f"lee {number}"
            told = [deal(first, "won", version=1, deal=first), deal(second, "won", version=2, deal=first)]
            await asyncio.gather(*(_take(world, event) for event in told))
            assert (await _state(world, second), await _state(world, first) == "won") == ("won", False)
        counted = await world.rows("select count(*) as deals, count(distinct handoff_id) as handoffs from deal")
        assert [tuple(row) for row in counted] == [(ROUNDS, ROUNDS)]
        assert len(await world.rows("select id from handoff where state = 'won'")) == ROUNDS
        assert await world.gaps() == []


async def _take(world: World, event: Event[Any]) -> None:
    for _ in range(TRIES_MAX):
        try:
            await world.take(event)
        except Busy:
            continue
        return
    raise AssertionError(f"still busy after {TRIES_MAX} tries")
