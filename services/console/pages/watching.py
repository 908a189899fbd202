"""The one reader of changes of a process, and who watches: each batch is loaded once and handed to every open stream.

While somebody watches it looks every 50 ms, else once a second (erased people are forgotten even when nobody looks).
All changes of one look are one batch. A batch says after which number it begins, so that a stream sees a hole before it
(it was open before the reader was, or the reader fell behind the kept window) and loads what lies there itself.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.console.commands.profiles import Profile, Profiles
from services.console.domain.queue import QueueItem
from services.console.domain.records import UserRow
from services.console.pages.items import items_of
from services.console.store import changes, pages, people
from services.console.store.changes import Change
from shared import clock
from shared.db.engine import Database, ReadTx, reading
from shared.errors import RateLimited
from shared.runtime import Pace

__all__ = ["Batch", "Watch", "Watching", "load_batch"]

LOOK_SECONDS = 0.05
IDLE_SECONDS = 1.0
WAITING_MOST = 100  # batches a slow browser may be behind; then it loads its page again


@dataclass
class Batch:
    """The changes from `after` (without it) up to `number`, with the rows, people and names to draw them.

    `drawn` keeps what was drawn once for several streams.
    """

    after: int
    number: int
    now: datetime
    items: tuple[QueueItem, ...]
    lead_ids: frozenset[UUID]
    users: Mapping[UUID, UserRow]
    profiles: Mapping[UUID, Profile | None]
    world: str = ""
    drawn: dict[tuple[object, ...], str] = field(default_factory=dict)


class Watch:
    """One open stream's place in the reader: the batches it has not taken yet. None ends it."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Batch | None] = asyncio.Queue(WAITING_MOST)
        self.is_behind = False

    def give(self, batch: Batch | None) -> None:
        """Add a batch; a watch that is too far behind is marked and ends."""
        if self.waiting.full():
            self.is_behind = True
            self.waiting.get_nowait()
            batch = None
        self.waiting.put_nowait(batch)


class Watching:
    """The reader and its watches."""

    def __init__(self, database: Database, profiles: Profiles) -> None:
        self._database = database
        self.profiles = profiles
        self._watches: set[Watch] = set()
        self._per_session: Counter[bytes] = Counter()
        self._pace: Pace | None = None
        self.number = 0

    def must_have_room(self, session: bytes, *, most: int) -> None:
        """Raise RateLimited when this session has `most` streams open already."""
        if self._per_session.get(session, 0) >= most:
            raise RateLimited("Too many pages are open with live updates; close one.", retry_after=5)

    @asynccontextmanager
    async def watch(self, session: bytes) -> AsyncIterator[Watch]:
        """A place among the watches."""
        one = Watch()
        self._per_session[session] += 1
        self._watches.add(one)
        if self._pace is not None:
            self._pace.wake()
        try:
            yield one
        finally:
            self._watches.discard(one)
            self._per_session[session] -= 1
            if not self._per_session[session]:
                del self._per_session[session]

    async def run(self, pace: Pace) -> None:
        """The loop: read what is new, load it once, hand it to all."""
        self._pace = pace
        pace.on_stop(self.end_all)
        async with reading(self._database) as tx:
            self.number = await changes.current_number(tx)
            start = await load_batch(tx, [], self.profiles, number=self.number)
        self.profiles.forget()  # after a failure begun anew: an erasure may be among the changes that nobody read
        self._give(start)  # a page that was open before: what happened until now it loads itself
        world = clock.world_clock()
        while await pace.until(at_most_seconds=LOOK_SECONDS if self._watches else IDLE_SECONDS):
            moved = clock.world_clock()
            async with reading(self._database) as tx:
                found = await changes.changes_after(tx, self.number)
                if not found and moved == world:
                    continue
                batch = await load_batch(tx, found, self.profiles, number=self.number)
            if moved != world and moved is not None:
                batch.world = json.dumps({"now": int(moved.now().timestamp() * 1000), "speed": moved.speed})
            if batch.after > self.number:
                self.profiles.forget()  # an erasure may be among the changes that are gone
            world, self.number = moved, batch.number
            self._give(batch)

    def _give(self, batch: Batch) -> None:
        for one in tuple(self._watches):
            one.give(batch)

    def end_all(self) -> None:
        """End every open stream: the process stops."""
        for one in tuple(self._watches):
            one.give(None)


async def load_batch(tx: ReadTx, found: list[Change], profiles: Profiles, *, number: int) -> Batch:
    """The rows behind some changes; number is the last one known when there are none."""
    lead_ids = frozenset(change.lead_id for change in found if change.lead_id is not None)
    leads = await pages.leads_by_id(tx, lead_ids)
    profiles.drop(lead_id for lead_id, row in leads.items() if row.is_erased)
    handoff_ids = {change.handoff_id for change in found if change.handoff_id is not None}
    rows = await pages.load_handoffs(tx, handoff_ids)
    items = tuple(await items_of(tx, rows.values()))
    return Batch(
        after=found[0].number - 1 if found else number,
        number=found[-1].number if found else number,
        now=tx.now,
        items=items,
        lead_ids=lead_ids,
        users=await people.users(tx) if found else {},
        profiles=await profiles.of(item.lead.lead_id for item in items),
    )
