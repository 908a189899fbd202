"""Who may not: touch what is another's, pull from a pool it is not in, get a lead while it leaves, wait for ever."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import pools
from services.handoff.usecases import commanding, crewing, firing
from shared.contracts.outcomes import DisputeRuled
from shared.db.engine import is_transient, transaction
from shared.errors import Busy, NotFound
from shared.ids import UserId, new_id
from tests.integration.handoff.http import callers
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.integration.shared.stage import until
from tests.support.builders.handoff import (
    called,
    demoted,
    event_of,
    identified,
    lead_id,
    linked,
    qualified,
    rep_id,
    rep_row,
)

DACH = {"fact": "country", "op": "is", "value": "DE"}
WAITING_FOR_DACH = 55  # more than one round looks at


async def _dach_and_default(world: World, *, is_exclusive: bool = True) -> None:
    """Anna works Germany alone, Bert the rest; each may hold one."""
    rules = [
        {"rule": "territory", "when": DACH, "pool": "dach", "is_exclusive": is_exclusive},
        {"rule": "pool", "pool": "default"},
    ]
    await world.reps(*crew("anna", "bert"))
    members = {"dach": [member(rep_id("anna"), load_max=1)], "default": [member(rep_id("bert"), load_max=1)]}
    pools = [{"name": name, "skills": [], "members": members[name]} for name in members]
    await world.agreement(members, changes={"routing": {"rules": rules, "pools": pools}})


async def test_only_the_owners_side_may_touch(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        team = rep_id("team")
        await world.reps(rep_row("anna"), rep_row("bert", team_id=team), rep_row("carl", team_id=team))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        path = f"/v1/handoffs/{handoff.id}"
        boss = Actor(ActorKind.MANAGER, UserId(rep_id("boss")))
        given = inputs.Reassign(token=handoff.token, rep_id=UserId(rep_id("bert")), actor=boss)
        assert (await world.act(handoff.id, given)).is_ok

        former = api.user(rep_id("anna"), "rep")  # who had it still sees it
        etag = (await former.get(path)).json()["etag"]
        refused = await former.post(f"{path}/touch", {"kind": "call"}, etag=etag)
        assert refused.status_code == 422, refused.text
        assert refused.json()["type"] == "/problems/not_owner"
        assert (await world.handoff(handoff.id)).state == "assigned"
        assert (await world.touch(handoff.id, rep_id("carl"))).is_ok
        assert (await world.handoff(handoff.id)).state == "working"
        assert await world.gaps() == []


async def _pull(world: World, handoff: Any, name: str) -> None:  # noqa: ANN401 - a row
    rep = UserId(rep_id(name))
    await world.run(
        lambda tx: commanding.pull(
            tx, handoff.id, token=handoff.token, actor=Actor(ActorKind.REP, rep), rep_id=rep, command_id=new_id()
        )
    )


async def test_only_a_member_of_its_pool_may_pull(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _dach_and_default(world)
        for name in ("one", "two"):
            await world.take(identified(name, country="DE"), qualified(name))
        waiting = await world.handoff_of(lead_id("two"))
        assert (waiting.state, waiting.pool) == ("queued", "dach")
        with pytest.raises(NotFound):
            await _pull(world, waiting, "bert")
        assert (await world.handoff(waiting.id)).state == "queued"
        assert await world.gaps() == []


async def test_many_that_wait_for_a_full_pool_hold_up_nobody_else(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _dach_and_default(world)
        germans = [f"german {number}" for number in range(WAITING_FOR_DACH)]
        await world.take(*(identified(name, country="DE") for name in germans), *(qualified(name) for name in germans))
        await world.advance(minutes=1)
        for name in ("first", "second"):
            await world.take(identified(name, country="FR"), qualified(name))
        held, waits = await world.handoff_of(lead_id("first")), await world.handoff_of(lead_id("second"))
        assert (held.owner_id, waits.state) == (rep_id("bert"), "queued")
        await world.touch(held.id, rep_id("bert"))
        after = await world.handoff(waits.id)
        assert (after.state, after.owner_id) == ("assigned", rep_id("bert"))
        assert await world.gaps() == []


async def test_a_rep_who_leaves_while_a_lead_comes_does_not_keep_it(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna", "bert"))
        await world.agreement({"default": [member(rep_id("anna")), member(rep_id("bert"))]})
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        other = next(name for name in ("anna", "bert") if rep_id(name) != handoff.owner_id)
        await _leaves(world, rep_id(other))
        # Its manager's command had looked at it a moment before, and writes a moment after.
        given = inputs.Reassign(token=handoff.token, rep_id=UserId(rep_id(other)), is_on=True)
        assert (await world.act(handoff.id, given)).is_ok
        await world.fire()
        assert (await world.handoff(handoff.id)).owner_id != rep_id(other)
        assert await world.gaps() == []


async def test_a_lead_given_while_the_loop_follows_a_rep_who_left_is_followed_too(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna", "bert"))
        await world.agreement({"default": [member(rep_id("anna")), member(rep_id("bert"))]})
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        other = UserId(next(rep_id(name) for name in ("anna", "bert") if rep_id(name) != handoff.owner_id))
        async with transaction(world.database, "command") as tx:
            await crewing.send_away(tx, other, because="by_hand")
        async with asyncio.TaskGroup() as group:
            async with transaction(world.database, "command") as tx:
                given = inputs.Reassign(token=handoff.token, rep_id=other, is_on=True)
                assert (await commanding.act(tx, handoff.id, given, command_id=new_id())).is_ok
                following = group.create_task(_is_refused(world, other))
                await until(lambda: _is_somebody_waiting(world))
            assert await following, "what was given meanwhile is still with a rep who left"
        await world.fire()
        assert (await world.handoff(handoff.id)).owner_id != other
        assert await world.gaps() == []


async def _is_refused(world: World, rep: UserId) -> bool:
    """Whether the loop must look again."""
    try:
        async with transaction(world.database, "clocks") as tx:
            await firing.follow_move(tx, rep, "left")
    except Busy:
        return True
    except DBAPIError as error:  # on a slow machine a lock is not waited for so long
        return is_transient(error)
    return False


async def _is_somebody_waiting(world: World) -> bool:
    waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return bool(await world.rows(waiting))


async def _leaves(world: World, rep: UUID) -> None:
    async with transaction(world.database, "command") as tx:
        await crewing.send_away(tx, UserId(rep), because="by_hand")
    await world.fire()


async def test_a_dispute_credits_the_pool_that_gave_the_lead(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _dach_and_default(world, is_exclusive=False)
        await world.take(identified("kim", country="DE"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        reason = inputs.Reason(code="wrong_territory_or_rep")
        rejected = inputs.Reject(token=handoff.token, by=UserId(rep_id("anna")), reason=reason)
        assert (await world.act(handoff.id, rejected)).is_ok
        assert (await world.handoff(handoff.id)).pool == "default"
        ruled = DisputeRuled(
            dispute_id=new_id(), handoff_id=handoff.id, lead_id=lead_id("kim"), rep_id=rep_id("anna"),
            ground="bad_data", ruling="upheld", is_credited=True, by_user_ids=[],
        )  # fmt: skip
        await world.take(event_of(ruled))
        ledger = await world.rows("select pool, received, credited from member order by pool")
        assert [tuple(row) for row in ledger] == [("dach", 1, 1), ("default", 1, 0)]
        assert await world.gaps() == []


async def _credit(world: World, pool: str, rep: UUID) -> None:
    async with transaction(world.database, "batch") as tx:
        await pools.credit_members(tx, [(pool, UserId(rep))])


async def test_a_credit_waits_for_the_pools_in_the_order_of_a_round(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _dach_and_default(world)
        async with asyncio.TaskGroup() as group:
            async with transaction(world.database, "command") as tx:
                await tx.execute("select from pool where name = 'dach' for update")
                crediting = group.create_task(_credit(world, "default", rep_id("bert")))
                await until(lambda: _is_somebody_waiting(world))
                await tx.execute("select from pool where name = 'default' for update nowait")
            await crediting
        ledger = await world.rows("select pool, credited from member order by pool")
        assert [tuple(row) for row in ledger] == [("dach", 0), ("default", 1)]


@pytest.mark.parametrize("first", ["kim", "lee"])
async def test_a_handoff_is_taken_back_when_nobody_behind_it_qualifies_any_more(
    database_of: DatabaseOf, first: str
) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        for name in ("kim", "lee"):
            await world.take(identified(name), linked(name, "acme"))
        await world.take(qualified("kim"), qualified("lee"))
        handoff = await world.handoff_of(lead_id("kim"))
        assert handoff.evidence == 2
        await world.take(demoted(first))
        assert (await world.handoff(handoff.id)).state == "assigned"
        await world.take(demoted("lee" if first == "kim" else "kim"))
        after = await world.handoff(handoff.id)
        assert (after.state, after.result) == ("nurture", "revoked")
        assert await world.gaps() == []


async def test_a_queue_clock_looks_for_a_rep_whom_time_alone_has_freed(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"), leads_per_30_days=1)]})
        await world.take(identified("kim"), qualified("kim"), identified("lee"), qualified("lee"))
        await world.take(called("kim", "anna", at=world.now))
        lee = await world.handoff_of(lead_id("lee"))
        assert lee.queue == "no_eligible_rep"
        await world.advance(days=31)
        await world.fire()
        assert (await world.handoff(lee.id)).state == "assigned"
        assert await world.gaps() == []
