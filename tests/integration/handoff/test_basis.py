"""What units of work begin with is kept by a stamp: a change of it is seen by the next one, an undone one by none."""

from typing import Any

import pytest

from services.handoff.store import reps
from services.handoff.store.basis import Basis, read_basis
from shared.db.engine import reading, transaction
from tests.integration.handoff.world import DatabaseOf, World, world_of

_CHANGES = {
    "calendar": "update calendar set version = version + 1 where name = 'default'",
    "team": "insert into team (id, name, changed_at) values (gen_random_uuid(), 'north', baton_now())",
    "queue": "update queue set owner = 'somebody' where name = 'unrouted'",
    "endpoint": """
        with new as (insert into lane (id, channel) values (gen_random_uuid(), 'webhook') returning id)
        insert into endpoint (id, url, created_at, changed_at)
        select id, 'https://a.example', baton_now(), baton_now() from new
    """,
}


class _UndoneError(Exception):
    """Ends a transaction without a commit."""


async def _basis(world: World) -> Basis:
    async with reading(world.database) as tx:
        return await read_basis(tx)


async def _undo(world: World) -> None:
    async with transaction(world.database, "periodic") as tx:
        await tx.execute("update queue set owner = 'nobody'")
        assert set((await read_basis(tx)).queue_owners.values()) == {"nobody"}
        raise _UndoneError


async def _run(world: World, sql: str) -> None:
    async with transaction(world.database, "periodic") as tx:
        await tx.execute(sql)


@pytest.mark.parametrize("changed", _CHANGES)
async def test_a_change_is_seen_by_the_next_unit_of_work(database_of: DatabaseOf, changed: str) -> None:
    async with world_of(database_of) as world:
        before = await _basis(world)
        assert await _basis(world) is before
        await _run(world, _CHANGES[changed])
        assert await _basis(world) != before


async def test_what_was_read_of_an_undone_change_is_nobodys_basis(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        with pytest.raises(_UndoneError):
            await _undo(world)
        assert "nobody" not in (await _basis(world)).queue_owners.values()
        await _run(world, "update queue set owner = 'somebody'")
        assert set((await _basis(world)).queue_owners.values()) == {"somebody"}


async def test_a_disabled_lane_is_seen_and_its_rate_is_not_looked_at(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _run(world, _CHANGES["endpoint"])
        before = await _basis(world)
        await _run(world, "update lane set rate_share = 0.5, is_enabled = is_enabled")
        assert await _basis(world) is before
        await _run(world, "update lane set is_enabled = false where channel = 'webhook'")
        assert [each.is_enabled for each in (await _basis(world)).subscriptions] == [False]


async def test_a_calendar_saved_by_its_manager_is_the_one_that_clocks_run_in(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _basis(world)
        row: dict[str, Any] = {"name": "nights", "zone": "UTC", "hours": [[]] * 7, "holidays": [], "version": 1}
        async with transaction(world.database, "periodic") as tx:
            await reps.save_calendar(tx, {**row, "changed_at": tx.now})
        assert "nights" in (await _basis(world)).calendars
