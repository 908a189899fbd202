"""What Sales did before the handoff had an owner counts the same, however it got one and whoever of it was called."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store.results import prune_results
from services.handoff.store.tries import prune_tries
from services.handoff.usecases import commanding
from services.handoff.usecases.commanding import OpenByHand
from shared.db.engine import transaction
from shared.ids import LeadId, UserId, new_id
from tests.integration.handoff.world import DatabaseOf, World, member, world_of
from tests.support.builders.handoff import (
    NOON,
    called,
    deal,
    identified,
    lead_id,
    linked,
    merged,
    qualified,
    rep_id,
    rep_row,
)

ANNA = UserId(rep_id("anna"))
CALLED_AT = NOON + timedelta(minutes=2)
MANAGER = Actor(ActorKind.MANAGER, UserId(rep_id("mona")))
Way = Callable[[World], Awaitable[None]]


async def _routed(world: World) -> None:
    await world.take(qualified("kim"))


async def _waiting(world: World) -> None:
    """It waits for a person: freed load does not serve this queue."""
    await world.take(qualified("kim", policy="hand_raiser", tier="hand_raiser", is_below_floor=True))
    assert (await world.handoff_of(lead_id("kim"))).queue == "manual_review"


async def _pulled(world: World) -> None:
    await _waiting(world)
    queued = await world.handoff_of(lead_id("kim"))
    actor = Actor(ActorKind.REP, ANNA)
    pulled = await world.run(
        lambda tx: commanding.pull(tx, queued.id, token=queued.token, actor=actor, rep_id=ANNA, command_id=new_id())
    )
    assert pulled.is_ok


async def _given(world: World) -> None:
    await _waiting(world)
    queued = await world.handoff_of(lead_id("kim"))
    given = await world.run(
        lambda tx: commanding.reassign(
            tx, queued.id, token=queued.token, actor=MANAGER, rep_id=ANNA, command_id=new_id()
        )
    )
    assert given.is_ok


async def _by_hand(world: World) -> None:
    asked = OpenByHand(lead_id=LeadId(lead_id("kim")), product="default", actor=MANAGER, rep_id=ANNA)
    async with transaction(world.database, "command") as tx:
        held, _ = await commanding.open_by_hand(tx, asked, command_id=new_id())
    assert held is not None


WAYS = [
    pytest.param(_routed, id="routed"),
    pytest.param(_pulled, id="pulled"),
    pytest.param(_given, id="given"),
    pytest.param(_by_hand, id="by hand"),
]


async def _team(world: World) -> None:
    team = rep_id("team")
    await world.reps(rep_row("anna", team_id=team), rep_row("bert", team_id=team))
    await world.agreement({"default": [member(ANNA)]})
    await world.take(identified("kim"), identified("lee"))
    await world.advance(minutes=5)


@pytest.mark.parametrize("becomes_owned", WAYS)
async def test_a_call_before_the_owner_counts_whichever_way_it_got_one(
    database_of: DatabaseOf, becomes_owned: Way
) -> None:
    async with world_of(database_of) as world:
        await _team(world)
        await world.take(called("kim", "bert", at=world.now))
        await becomes_owned(world)
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.owner_id, handoff.touched_at) == ("working", ANNA, world.now)
        assert [row.kind for row in await world.rows("select kind from touch")] == ["call_attempted"]
        assert await world.rows("select id from sales_activity") == []
        assert await world.gaps() == []


@pytest.mark.parametrize("becomes_owned", WAYS)
async def test_a_deal_before_the_owner_counts_whichever_way_it_got_one(
    database_of: DatabaseOf, becomes_owned: Way
) -> None:
    async with world_of(database_of) as world:
        await _team(world)
        await world.take(deal("kim", "won", at=world.now))
        await becomes_owned(world)
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.former_owner_id) == ("won", ANNA)
        assert await world.rows("select id from kept_result") == []
        assert await world.gaps() == []


@pytest.mark.parametrize("is_call_first", [True, False])
async def test_a_call_to_a_colleague_of_the_account_counts_in_either_order(
    database_of: DatabaseOf, *, is_call_first: bool
) -> None:
    async with world_of(database_of) as world:
        await _team(world)
        await world.take(linked("kim", "acme"), linked("lee", "acme"))
        events = [called("lee", "bert", at=CALLED_AT), qualified("kim")]
        for event in events if is_call_first else reversed(events):
            await world.take(event)
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.touched_at) == ("working", CALLED_AT)
        assert await world.gaps() == []


@pytest.mark.parametrize("is_merge_first", [True, False])
async def test_a_call_to_a_member_counts_before_and_after_the_merge(
    database_of: DatabaseOf, *, is_merge_first: bool
) -> None:
    async with world_of(database_of) as world:
        await _team(world)
        await world.take(qualified("kim"))
        events = [merged("lee", "kim"), called("lee", "bert", at=CALLED_AT)]
        for event in events if is_merge_first else reversed(events):
            await world.take(event)
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.touched_at) == ("working", CALLED_AT)
        assert await world.gaps() == []


async def test_a_pull_counts_once_however_often_it_is_sent(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _team(world)
        await _pulled(world)
        pulled = await world.handoff_of(lead_id("kim"))
        again = inputs.Pull(token=pulled.token - 1, rep_id=ANNA)
        assert not (await world.act(pulled.id, again)).is_ok
        assert [row.load for row in await world.rows("select load from rep where id = :id", id=ANNA)] == [1]
        assert await world.gaps() == []


async def test_what_no_handoff_claimed_is_kept_sixty_days_and_then_forgotten(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _team(world)
        await world.take(called("kim", "bert", at=world.now), deal("kim", "won", at=world.now))
        for days, left in ((59, 1), (2, 0)):
            await world.advance(days=days)
            async with transaction(world.database, "periodic") as tx:
                await prune_tries(tx)
                await prune_results(tx)
            assert len(await world.rows("select id from sales_activity")) == left
            assert len(await world.rows("select id from kept_result")) == left
