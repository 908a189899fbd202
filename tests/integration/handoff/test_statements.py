"""A batch takes a fixed number of statements, whatever it holds: one lead or twenty, one rung or twenty."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, Executable
from typing_extensions import override

from services.handoff.consumer import HANDLERS
from services.handoff.usecases import firing
from shared.contracts.envelope import Event
from shared.db.engine import Tx, transaction
from tests.integration.handoff.world import LONG_AGO, DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import identified, qualified, rep_id

_MANY = 20
# What lead by lead costs most (PERFORMANCE 7 of the design asks for a fixed number, and that somebody sees it grow).
_OPENED_AT_MOST = 20


class _Counting(Tx):
    """A transaction that counts its statements."""

    statements = 0

    @override
    async def execute(
        self, statement: Executable | str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        self.statements += 1
        return await super().execute(statement, parameters)


async def _taken(world: World, events: list[Event[Any]]) -> int:
    async with transaction(world.database, "batch") as tx:
        counting = _Counting(tx.connection, now=tx.now)
        await HANDLERS.by_type[events[0].type](counting, events)
        tx.pending += counting.pending
    return counting.statements


async def _opened(world: World, *names: str) -> int:
    told = await _taken(world, [identified(name) for name in names])
    return told + await _taken(world, [qualified(name) for name in names])


async def _fired(world: World, *, at_most: int) -> int:
    async with transaction(world.database, "clocks") as tx:
        counting = _Counting(tx.connection, now=tx.now)
        assert await firing.fire_due(counting, low_water=LONG_AGO, limit=at_most) == at_most
        tx.pending += counting.pending
    return counting.statements


async def test_twenty_leads_open_with_the_statements_of_one(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        names = ("anna", "bert", "carl")
        await world.reps(*crew(*names))
        await world.agreement({"default": [member(rep_id(name), load_max=100) for name in names]})
        await _opened(world, "first")
        one = await _opened(world, "kim")
        assert one <= _OPENED_AT_MOST
        assert await _opened(world, *(f"lead{number}" for number in range(_MANY))) == one
        assert await world.gaps() == []


async def test_twenty_rungs_fire_with_the_statements_of_one(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        names = ("anna", "bert", "carl")
        await world.reps(*crew(*names))
        await world.agreement({"default": [member(rep_id(name), load_max=100) for name in names]})
        await _opened(world, *(f"lead{number}" for number in range(_MANY + 1)))
        await world.at(world.now + timedelta(hours=1, minutes=30))
        one = await _fired(world, at_most=1)
        assert await _fired(world, at_most=_MANY) == one
        assert await world.gaps() == []
