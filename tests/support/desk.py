"""One service's database at one moment of the world: feed it events as its consumer would, read what came of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text

from shared.contracts.envelope import Event
from shared.db.engine import Database, reading, transaction
from shared.stream.handlers import Handlers
from tests.support.world import set_world

__all__ = ["ServiceDesk"]


class ServiceDesk:
    """What tests of every service's use cases need; a service's own desk adds its loops and routes."""

    def __init__(self, url: str, handlers: Handlers) -> None:
        self.url = url
        self.database = Database(url, pool_size=3)
        self.handlers = handlers

    async def at(self, moment: datetime) -> None:
        """Put the world at a moment; it stands still there."""
        await set_world(self.url, at=moment)

    async def feed(self, *events: Event[Any], at: datetime | None = None) -> None:
        """Handle events as one batch, as the consumer would; `at` moves the world first."""
        if at is not None:
            await self.at(at)
        async with transaction(self.database, "batch") as tx:
            groups: list[list[Event[Any]]] = []
            for event in events:
                usecase = self.handlers.by_type[event.type]
                if groups and self.handlers.by_type[groups[-1][0].type] is usecase:
                    groups[-1].append(event)
                else:
                    groups.append([event])
            for group in groups:
                await self.handlers.by_type[group[0].type](tx, group)

    async def emitted(self, name: str = "") -> list[dict[str, Any]]:
        """Payloads of the events emitted so far whose type contains the name, in order."""
        rows = await self.rows("select headers, payload from outbox order by id")
        found = [(orjson.loads(row.headers)["ce_type"], orjson.loads(row.payload)) for row in rows]
        return [{"type": kind, **payload} for kind, payload in found if name in kind]

    async def rows(self, sql: str, **values: object) -> Sequence[Any]:
        """Rows of any statement."""
        async with reading(self.database) as tx:
            return (await tx.execute(text(sql), values)).all()

    async def write(self, sql: str, **values: object) -> None:
        """Run one statement and commit it: what a test plants."""
        async with self.database.engine.begin() as connection:
            await connection.execute(text(sql), values)

    async def close(self) -> None:
        """Give the connections back."""
        await self.database.close()
