"""Acceptors race clocks on four connections: nothing fires after the act that stops it, and nobody is owned twice."""

import asyncio
from datetime import timedelta
from uuid import UUID

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.usecases import commanding, firing
from shared.db.engine import is_transient, transaction
from shared.ids import UserId, new_id
from tests.integration.handoff.world import LONG_AGO, DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import NOON, identified, linked, qualified, rep_id

LEADS = 60
NAMES = ("anna", "bert", "carl", "dora")


async def test_acceptors_race_clocks(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew(*NAMES))
        await world.agreement({"default": [member(rep_id(name), load_max=100) for name in NAMES]})
        names = [f"lead {number}" for number in range(LEADS)]
        await world.take(*(identified(name) for name in names))
        await world.take(*(qualified(name) for name in names))
        offered = await world.rows("select id, owner_id, token from handoff order by id")
        assert {row.owner_id for row in offered} == {rep_id(name) for name in NAMES}
        await world.at(NOON + timedelta(hours=4))  # all accept clocks are due at this instant, with all their rungs

        half = [(row.id, row.owner_id, row.token) for row in offered]
        results = await asyncio.gather(
            _accept_all(world, half[::2]), _accept_all(world, half[1::2]), _fire_all(world), _fire_all(world)
        )
        accepted = {handoff_id for found in results[:2] for handoff_id in found}

        after_end = await world.rows(
            """
            select c.id from clock c join handoff_event e on e.handoff_id = c.handoff_id
             where e.kind = 'Accept' and e.verdict = 'ok' and c.kind = 'accept' and c.state = 'breached'
               and c.token = e.token_after - 1
            """
        )
        assert after_end == []
        took = await world.rows("select handoff_id from handoff_event where kind = 'Accept' and verdict = 'ok'")
        assert {row.handoff_id for row in took} == accepted
        twice = await world.rows(
            "select handoff_id from assignment where ended_at is null group by handoff_id having count(*) > 1"
        )
        assert twice == []
        assert await world.gaps() == []


async def test_many_people_of_one_account_open_one_handoff(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        names = [f"colleague {number}" for number in range(8)]
        await world.take(*(identified(name) for name in names), *(linked(name, "acme") for name in names))
        await asyncio.gather(*(world.take(qualified(name)) for name in names))
        found = await world.rows("select id, evidence from handoff")
        assert len(found) == 1
        assert found[0].evidence == len(names)
        assert await world.gaps() == []


async def _accept_all(world: World, offered: list[tuple[UUID, UUID, int]]) -> list[UUID]:
    accepted: list[UUID] = []
    for handoff_id, owner_id, token in offered:
        rep = UserId(owner_id)
        event = inputs.Accept(token=token, by=rep, actor=Actor(ActorKind.REP, rep))
        async with transaction(world.database, "command") as tx:
            commanded = await commanding.act(tx, handoff_id, event, command_id=new_id())
        if commanded.is_ok:
            accepted.append(handoff_id)
    return accepted


async def _fire_all(world: World) -> None:
    quiet = 0
    while quiet < 5:
        try:
            async with transaction(world.database, "clocks") as tx:
                fired = await firing.fire_due(tx, low_water=LONG_AGO, limit=7)
        except Exception as error:
            if not is_transient(error):
                raise
            fired = 1
        quiet = 0 if fired else quiet + 1
