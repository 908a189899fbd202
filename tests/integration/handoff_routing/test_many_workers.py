"""Eight workers route at once on a real database: nobody over capacity, shares kept, every decision replays."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from services.handoff.consumer import HANDLERS
from services.handoff.domain import fairness
from services.handoff.domain.routing import replay
from services.handoff.domain.things import Actor, ActorKind, Member
from services.handoff.store.reps import save_rep
from services.handoff.usecases import commanding
from shared.contracts.envelope import Event
from shared.db.engine import Database, is_transient, transaction
from shared.ids import UserId, new_id
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import qualified, rep_id, rep_row

WORKERS = 8
NAMES = tuple(f"rep {number:02}" for number in range(12))


async def route_all(world: World, events: Sequence[Event[Any]], *, at_once: int) -> None:
    """Eight workers with a connection each take batches as they come, again when a lock or deadlock sends one back."""
    waiting = [events[start : start + at_once] for start in range(0, len(events), at_once)]
    waiting.reverse()

    async def work() -> None:
        database = Database(world.url, pool_size=1)
        while waiting:
            batch = waiting.pop()
            try:
                async with transaction(database, "batch") as tx:
                    await HANDLERS.by_type[batch[0].type](tx, batch)
            except Exception as error:
                if not is_transient(error):
                    raise
                waiting.append(batch)
        await database.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())


async def ledger(world: World, pool: str = "default") -> list[Member]:
    rows = await world.rows("select * from member where pool = :pool order by rep_id", pool=pool)
    return [
        Member(pool, UserId(row.rep_id), weight=row.weight, received=row.received, credited=row.credited,
               entitled=row.entitled)
        for row in rows
    ]  # fmt: skip


async def check_replay(world: World) -> int:
    rows = await world.rows("select id, rep_id, queue, record from routing_decision")
    for row in rows:
        again = replay(row.record)
        assert again.is_same, (row.id, again.differences)
        assert (again.result.rep_id, again.result.queue) == (row.rep_id, row.queue)
    return len(rows)


async def check_owners(world: World) -> None:
    loads = Counter(
        row.owner_id for row in await world.rows("select owner_id from handoff where state in ('assigned', 'accepted')")
    )
    limits = {row.rep_id: row.load_max for row in await world.rows("select rep_id, load_max from member")}
    assert all(count <= limits[owner] for owner, count in loads.items())
    assert await world.gaps() == []


@pytest.mark.timeout(300)  # 3,000 leads beside other workers of the run
async def test_fixed_members_stay_within_one_lead_of_their_share(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew(*NAMES))
        weights = {name: 1 + index % 4 for index, name in enumerate(NAMES)}
        places = [
            member(rep_id(name), weight=weight, load_max=2000, leads_per_30_days=3000)
            for name, weight in weights.items()
        ]
        await world.agreement({"default": places})
        await route_all(world, [qualified(f"lead {number}") for number in range(3000)], at_once=100)
        members = await ledger(world)
        assert sum(one.received for one in members) == 3000
        assert fairness.gap(members) < 1
        assert await check_replay(world) == 3000
        await check_owners(world)


async def test_capacity_absences_and_reassignments_never_overfill_anybody(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew(*NAMES))
        await world.agreement({"default": [member(rep_id(name), load_max=7) for name in NAMES]})
        for part, names in enumerate((NAMES[:0], NAMES[:4], NAMES[4:8], NAMES[:0])):
            async with transaction(world.database, "command") as tx:
                for name in NAMES:
                    loads = await world.rows("select load, expiries from rep where id = :id", id=rep_id(name))
                    await save_rep(tx, rep_row(name, is_away=name in names, load=loads[0].load))
            await route_all(world, [qualified(f"lead {part} {number}") for number in range(30)], at_once=5)
            await finish_some(world)
            await check_owners(world)
        assert fairness.gap(await ledger(world)) <= 2
        await check_replay(world)


async def finish_some(world: World) -> None:
    """Some of what is assigned is accepted and touched, some reassigned, at once; freed load serves the queue."""
    rows = await world.rows("select id, owner_id from handoff where state = 'assigned' order by id")

    async def finish(handoff_id: UUID, owner: UUID) -> None:
        await world.accept(handoff_id, owner)
        await world.touch(handoff_id, owner)

    async def reassign(handoff_id: UUID) -> None:
        """A manager gives it to whoever holds least; refused where that is its owner."""
        (least,) = await world.rows("select id from rep where not is_away order by load, id limit 1")
        seen = (await world.handoff(handoff_id)).token
        boss = Actor(ActorKind.MANAGER, UserId(rep_id("boss")))
        await world.run(
            lambda tx: commanding.reassign(
                tx, handoff_id, token=seen, actor=boss, rep_id=UserId(least.id), command_id=new_id()
            )
        )

    for start in range(0, len(rows), 8):
        async with asyncio.TaskGroup() as group:
            for row in rows[start : start + 8 : 2]:
                group.create_task(finish(row.id, row.owner_id))
            group.create_task(reassign(rows[start].id if len(rows) <= start + 1 else rows[start + 1].id))
