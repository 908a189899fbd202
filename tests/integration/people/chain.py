"""Ingest, scoring and handoff in a row: what the outbox of one holds goes to the next by partitions, without a broker.

Of a key the order of the log holds, of different keys it does not: that is all a consumer may rely on.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any, Final

from services.handoff.consumer import HANDLERS
from services.handoff.store.ledger import LEDGER as HANDOFF_LEDGER
from services.ingest.store.results import LEDGER as INGEST_LEDGER
from services.scoring.store.ledger import LEDGER as SCORING_LEDGER
from shared.clock import sleep
from shared.contracts.catalog import event_row
from shared.contracts.envelope import Event, event_from
from shared.db.engine import Database, is_transient, reading, transaction
from shared.db.ledger import find_gaps
from shared.db.outbox_rows import headers_from_text
from shared.errors import Busy
from shared.stream.handlers import Handlers
from tests.integration.handoff.world import World, crew, member, world_of
from tests.integration.ingest.stage import AT, IngestStage
from tests.integration.scoring.desk import ScoringDesk
from tests.support.builders.handoff import rep_id
from tests.support.world import set_world

__all__ = ["LANES", "Chain", "chain_of", "is_to_be_tried_again"]

LANES: Final = 4  # partitions of every topic
_LATE_MAX: Final = 300  # ids of outbox rows that may be committed after a higher one
_REPS: Final = ("anna", "bert", "cleo")


class Chain:
    """The three services at one moment; lanes hold what their consumers have not read yet."""

    def __init__(self, ingest: IngestStage, scoring: ScoringDesk, handoff: World) -> None:
        self.ingest, self.scoring, self.handoff = ingest, scoring, handoff
        self.databases = {"ingest": ingest.database, "scoring": scoring.database, "handoff": handoff.database}
        self._readers: dict[str, Handlers] = {"scoring": scoring.handlers, "handoff": HANDLERS}
        self._lanes: dict[str, list[deque[Event[Any]]]] = {
            name: [deque() for _ in range(LANES)] for name in self._readers
        }
        self._seen: dict[str, set[int]] = {name: set() for name in self.databases}
        self._drawing = asyncio.Lock()

    async def draw(self) -> None:
        """Put what left since into the lanes of those who read it."""
        async with self._drawing:
            for name, database in self.databases.items():
                await self._draw_from(name, database)

    async def _draw_from(self, name: str, database: Database) -> None:
        seen = self._seen[name]
        async with reading(database) as tx:
            low = max(seen, default=0) - _LATE_MAX
            found = await tx.execute(
                "select id, key, headers, payload from outbox where id > :low order by id", {"low": low}
            )
            rows = [row for row in found.all() if row.id not in seen]
        for row in rows:
            seen.add(row.id)
            headers = dict(headers_from_text(row.headers))
            kind, value = headers["ce_type"].decode(), row.payload.encode()
            readers = [who for who, table in self._readers.items() if table.usecase_of(kind, value)]
            if readers:
                model = event_row(kind).model
                assert model is not None, "what services tell each other has a model"
                event = event_from(headers, value, model)
                for who in readers:
                    self._lanes[who][zlib.crc32(row.key.encode()) % LANES].append(event)

    async def read(self, who: str, lane: int, *, most: int) -> int:
        """Let a consumer handle the next events of a lane as one batch, until the database takes it; how many."""
        waiting = self._lanes[who][lane]
        some = [waiting[place] for place in range(min(most, len(waiting)))]
        while some:
            try:
                await self._handle(who, some)
            except Exception as error:
                if not is_to_be_tried_again(error):
                    raise
                await sleep(0.01)
            else:
                break
        for _ in some:
            waiting.popleft()
        return len(some)

    async def _handle(self, who: str, some: Sequence[Event[Any]]) -> None:
        table = self._readers[who].by_type
        async with transaction(self.databases[who], "batch") as tx:
            noted = await tx.execute(
                """
                insert into inbox (consumer, event_id) select :who, unnest(cast(:ids as uuid[]))
                on conflict do nothing returning event_id
                """,
                {"who": who, "ids": [event.id for event in some]},
            )
            new = set(noted.scalars())
            fresh = [event for event in some if event.id in new]
            for usecase, events in groupby(fresh, key=lambda event: table[event.type]):
                await usecase(tx, list(events))

    async def settle(self) -> None:
        """Read until nothing is left anywhere, accounts and placements included."""
        while True:
            await self.draw()
            read = [await self.read(who, lane, most=50) for who in self._readers for lane in range(LANES)]
            accounts = await self.scoring.accounts()
            if not any(read) and not accounts:
                return

    async def gaps(self) -> list[str]:
        """What the ledgers of all three find, and refolding every handoff."""
        found = await self.handoff.gaps()
        ledgers = {"ingest": INGEST_LEDGER, "scoring": SCORING_LEDGER, "handoff": HANDOFF_LEDGER}
        for name, ledger in ledgers.items():
            async with reading(self.databases[name]) as tx:
                found += [f"{name}: {gap.name}: {gap.ids}" for gap in await find_gaps(tx, ledger)]
        return found


@asynccontextmanager
async def chain_of(database_of: Callable[[str], Awaitable[str]]) -> AsyncIterator[Chain]:
    """Three fresh services at the same noon, with three reps of one pool."""
    url = await database_of("ingest")
    await set_world(url, at=AT)
    database = Database(url, pool_size=6)
    scoring = ScoringDesk(await database_of("scoring"))
    await scoring.at(AT)
    try:
        async with world_of(database_of) as handoff:
            await handoff.reps(*crew(*_REPS))
            await handoff.agreement({"default": [member(rep_id(name)) for name in _REPS]})
            yield Chain(await IngestStage(database).prepare(), scoring, handoff)
    finally:
        await scoring.close()
        await database.close()


def is_to_be_tried_again(error: Exception) -> bool:
    """Whether a batch or command is to be run again as it is."""
    return isinstance(error, Busy) or is_transient(error)
