"""A handoff service without its processes: use cases on a real database, at the world time a test sets."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from services.handoff.consumer import HANDLERS
from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import reps
from services.handoff.store.ledger import LEDGER
from services.handoff.usecases import commanding, firing
from services.handoff.usecases.commanding import Commanded
from shared.contracts.envelope import Event
from shared.db.engine import Database, Tx, reading, transaction
from shared.db.ledger import find_gaps
from shared.ids import HandoffId, UserId, new_id
from tests.integration.handoff.refolding import refold
from tests.support.builders.handoff import NOON, agreement_event, rep_row
from tests.support.world import set_world

__all__ = ["DatabaseOf", "World", "world_of"]

DatabaseOf = Callable[[str], Awaitable[str]]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class World:
    """One database at one moment."""

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self.database = database
        self.now = NOON

    async def at(self, moment: datetime) -> None:
        self.now = moment
        await set_world(self.url, at=moment)

    async def advance(self, **parts: float) -> None:
        await self.at(self.now + timedelta(**parts))

    async def reps(self, *rows: dict[str, Any]) -> None:
        async with transaction(self.database, "periodic") as tx:
            for row in rows:
                await reps.save_rep(tx, row)

    async def agreement(self, members: dict[str, list[dict[str, Any]]], **named: Any) -> None:  # noqa: ANN401 - any field
        await self.take(agreement_event(members=members, **named))

    async def take(self, *events: Event[Any]) -> None:
        """Hand events to their use cases as a consumer would, one batch of consecutive equal use cases at a time."""
        start = 0
        for index in range(1, len(events) + 1):
            usecase = HANDLERS.by_type[events[start].type]
            if index == len(events) or HANDLERS.by_type[events[index].type] is not usecase:
                async with transaction(self.database, "batch") as tx:
                    await usecase(tx, list(events[start:index]))
                start = index

    async def fire(self) -> int:
        """Fire all that is due now, as the clocks loop would."""
        fired = 0
        while True:
            async with transaction(self.database, "clocks") as tx:
                await firing.move_absences(tx)
            async with reading(self.database) as tx:
                moved = await reps.moved_reps(tx, limit=10)
            for rep_id, how in moved:
                async with transaction(self.database, "clocks") as tx:
                    await firing.follow_move(tx, rep_id, how)
            async with transaction(self.database, "clocks") as tx:
                count = await firing.fire_due(tx, low_water=LONG_AGO, limit=500)
            fired += count
            if not count and not moved:
                return fired

    async def run(self, command: Callable[[Tx], Awaitable[Commanded]]) -> Commanded:
        async with transaction(self.database, "command") as tx:
            return await command(tx)

    async def act(self, handoff_id: UUID, event: inputs.Input) -> Commanded:
        return await self.run(lambda tx: commanding.act(tx, handoff_id, event, command_id=new_id()))

    async def accept(self, handoff_id: UUID, by: UUID, token: int | None = None) -> Commanded:
        seen = (await self.handoff(handoff_id)).token if token is None else token
        event = inputs.Accept(token=seen, by=UserId(by), actor=Actor(ActorKind.REP, UserId(by)))
        return await self.act(handoff_id, event)

    async def touch(self, handoff_id: UUID, by: UUID) -> Commanded:
        seen = (await self.handoff(handoff_id)).token
        actor = Actor(ActorKind.REP, UserId(by))
        return await self.run(
            lambda tx: commanding.touch(
                tx,
                handoff_id,
                token=seen,
                actor=actor,
                by=UserId(by),
                touched_at=None,
                kind="call",
                command_id=new_id(),
            )
        )

    async def rows(self, sql: str, **values: Any) -> Sequence[Row[Any]]:  # noqa: ANN401 - any field
        async with reading(self.database) as tx:
            return (await tx.execute(text(sql), values)).all()

    async def handoff(self, handoff_id: UUID) -> Row[Any]:
        return (await self.rows("select * from handoff where id = :id", id=handoff_id))[0]

    async def handoff_of(self, lead_id: UUID) -> Row[Any]:
        return (await self.rows("select * from handoff where lead_id = :id order by cycle desc", id=lead_id))[0]

    async def clock(self, handoff_id: UUID, kind: str) -> Row[Any]:
        found = await self.rows(
            "select * from clock where handoff_id = :id and kind = :kind order by number desc", id=handoff_id, kind=kind
        )
        return found[0]

    async def events(self, lead_id: UUID) -> list[str]:
        rows = await self.rows("select headers from outbox where key = :key order by id", key=str(lead_id))
        return [row.headers.split('"ce_type":"')[1].split('"')[0].split(".")[2] for row in rows]

    async def gaps(self) -> list[str]:
        """What the ledger finds, and what folding every handoff's inputs finds."""
        async with reading(self.database) as tx:
            found = [f"{gap.name}: {gap.ids}" for gap in await find_gaps(tx, LEDGER)]
            for handoff_id in (await tx.execute("select id from handoff")).scalars():
                found += [f"{handoff_id}: {each}" for each in await refold(tx, HandoffId(handoff_id))]
        return found


@asynccontextmanager
async def world_of(database_of: DatabaseOf) -> AsyncIterator[World]:
    url = await database_of("handoff")
    database = Database(url, pool_size=6)
    world = World(url, database)
    await world.at(NOON)
    try:
        yield world
    finally:
        await database.close()


def member(rep: UUID, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"rep": str(rep), **fields}


def crew(*names: str) -> list[dict[str, Any]]:
    return [rep_row(name) for name in names]
