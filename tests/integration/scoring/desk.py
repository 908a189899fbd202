"""Drives scoring's use cases on a real database: feed events, move the world, read what was emitted and stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text

from services.scoring.consumer import handlers
from services.scoring.usecases.ruling import Terms
from services.scoring.usecases.score_accounts import score_accounts
from services.scoring.usecases.score_leads import Desk, recheck_leads, rescan_leads
from shared.contracts.envelope import Event
from shared.db.engine import Database, reading, transaction
from tests.support.builders.scoring import START
from tests.support.world import set_world


class ScoringDesk:
    """One scoring database at one moment of the world."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, pool_size=2)
        self.desk = Desk(Terms(), b"test salt")
        self.handlers = handlers(self.desk)

    async def at(self, moment: datetime) -> None:
        """Put the world at a moment; it stands still there."""
        await set_world(self.url, at=moment)

    async def feed(self, *events: Event[Any], at: datetime | None = None) -> None:
        """Handle events as one batch, as the consumer would; at moves the world first."""
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

    async def recheck(self, *, at: datetime | None = None) -> int:
        """One round of the re-checks."""
        if at is not None:
            await self.at(at)
        async with transaction(self.database, "rechecks") as tx:
            return await recheck_leads(tx, desk=self.desk)

    async def rescan(self) -> int:
        """One slice of the rescan under new terms."""
        async with transaction(self.database, "rechecks") as tx:
            return await rescan_leads(tx, desk=self.desk)

    async def accounts(self) -> int:
        """One round of what is due of accounts."""
        async with transaction(self.database, "rechecks") as tx:
            return await score_accounts(tx, desk=self.desk)

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


async def scoring_desk(url: str) -> ScoringDesk:
    """A desk whose world stands at START."""
    desk = ScoringDesk(url)
    await desk.at(START)
    return desk
