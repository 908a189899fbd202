"""Case 27: who reads handoffs by change time, a page at a time, misses nothing and sees nothing twice.

Eight writers hold their transactions open and commit in any order, also between two pages of one walk; what they write
carries the moment they began. A reader goes back five minutes, as it is advised.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random  # noqa: TID251 - one seed is one order of commits
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from services.handoff.domain.lifecycle import Handoff, inputs
from services.handoff.domain.record import Times
from services.handoff.store import handoffs
from services.handoff.store.rows import put_rows
from shared.db.engine import Database, Tx, is_transient, transaction
from shared.ids import HandoffId, LeadId, UserId, derived_id
from shared.web.pages import cursor_of
from tests.integration.handoff.http import Caller, callers
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import identified, lead_id, qualified, rep_id

ROUNDS, WRITERS = 100, 8
AT_FIRST = 12
PAGE = 7
OVERLAP = timedelta(minutes=5)
STEP = timedelta(minutes=1)
OPEN_STEPS_MAX = 4  # a writer commits less than the overlap after it began
SEED = 27


@dataclass(frozen=True, slots=True)
class _Open:
    """A writer's transaction that has not committed yet."""

    stack: AsyncExitStack
    id: UUID
    seq: int
    began_at: datetime


class _Writers:
    """What is open, and what has been committed: by handoff its newest seq and the moment it carries."""

    def __init__(self, database: Database, random: Random) -> None:
        self.database = database
        self.random = random
        self.numbers = count()
        self.open: list[_Open] = []
        self.committed: dict[UUID, tuple[int, datetime]] = {}

    async def begin(self) -> None:
        """Open a transaction that changes a handoff nobody else changes, or opens one."""
        stack = AsyncExitStack()
        tx = await stack.enter_async_context(transaction(self.database, "batch"))
        busy = {each.id for each in self.open}
        chosen = HandoffId(self.random.choice(sorted(set(self.committed) - busy)))
        if self.random.random() < 0.2:
            like = (await handoffs.load_handoffs(tx, [chosen]))[chosen]
            changed = await _another(tx, like.handoff, like.times, next(self.numbers))
        else:
            kept = (await handoffs.lock_handoffs(tx, [chosen]))[chosen]
            changed = replace(kept.handoff, seq=kept.handoff.seq + 1)
            await _write(tx, changed, kept.times)
        self.open.append(_Open(stack, changed.id, changed.seq, tx.now))

    async def commit(self, one: _Open) -> None:
        self.open.remove(one)
        await one.stack.aclose()
        self.committed[one.id] = (one.seq, one.began_at)

    async def commit_some(self, *, now: datetime) -> None:
        """Commit what must end now, and perhaps another one, whichever began first."""
        for one in list(self.open):
            if now - one.began_at >= OPEN_STEPS_MAX * STEP:
                await self.commit(one)
        if self.open and self.random.random() < 0.5:
            await self.commit(self.random.choice(self.open))


async def _write(tx: Tx, changed: Handoff, times: Times, *, was_open: bool = True) -> None:
    kept = [(changed, times, was_open)]
    await put_rows(tx, *handoffs.put_handoffs(kept, now=tx.now))


async def _another(tx: Tx, like: Handoff, times: Times, number: int) -> Handoff:
    lead = LeadId(derived_id("another lead of a test", number))
    opened = replace(
        like, id=HandoffId(derived_id("another handoff", number)), lead_id=lead, root_lead_id=lead, scope_id=lead, seq=1
    )
    await _write(tx, opened, replace(times, opened_at=tx.now), was_open=False)
    return opened


class _Reader:
    """Reads what changed since the last time, less the overlap."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.read_at: datetime | None = None
        self.known: dict[UUID, int] = {}

    async def walk(self, writers: _Writers, *, now: datetime) -> None:
        since = None if self.read_at is None else self.read_at - OVERLAP
        expected = {
            handoff_id: seq
            for handoff_id, (seq, changed_at) in writers.committed.items()
            if since is None or changed_at >= since
        }
        seen: dict[UUID, int] = {}
        cursor = None
        while True:
            page = await self._page(since, cursor)
            for row in page["handoffs"]:
                handoff_id = UUID(row["id"])
                assert handoff_id not in seen, "a row came twice in one walk"
                seen[handoff_id] = row["version"]
            cursor = page["next"]
            if cursor is None:
                break
            await writers.commit_some(now=now)
        missed = {handoff_id for handoff_id, seq in expected.items() if seen.get(handoff_id, 0) < seq}
        assert not missed, "a row that stood before the walk was not in it"
        self.known |= seen
        self.read_at = now

    async def _page(self, since: datetime | None, cursor: str | None) -> dict[str, Any]:
        asked = {"limit": PAGE, "updated_since": since and since.isoformat(), "cursor": cursor}
        found = await self.caller.get(f"/v1/handoffs?{urlencode({k: v for k, v in asked.items() if v is not None})}")
        assert found.status_code == 200, found.text
        page: dict[str, Any] = found.json()
        return page


async def _opened(world: World, names: list[str]) -> None:
    await world.reps(*crew("anna"))
    await world.agreement({"default": [member(rep_id("anna"), load_max=100)]})
    await world.take(*(identified(name) for name in names))
    await world.take(*(qualified(name) for name in names))


async def test_an_incremental_reader_finds_every_change_of_eight_writers(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await _opened(world, [f"lead {number}" for number in range(AT_FIRST)])
        database = Database(world.url, pool_size=WRITERS)
        writers = _Writers(database, Random(SEED))  # noqa: S311 - an order, not a secret
        stored = await world.rows("select id, seq, changed_at from handoff")
        writers.committed = {row.id: (row.seq, row.changed_at) for row in stored}
        reader = _Reader(api.key("leads:read"))
        try:
            for _ in range(ROUNDS):
                await world.advance(minutes=1)
                while len(writers.open) < WRITERS:
                    await writers.begin()
                await writers.commit_some(now=world.now)
                await reader.walk(writers, now=world.now)
            while writers.open:
                await writers.commit(writers.open[0])
            await reader.walk(writers, now=world.now)
        finally:
            for one in list(writers.open):
                await one.stack.aclose()
            await database.close()
        rows = await world.rows("select id, seq from handoff")
        assert len(rows) > AT_FIRST + ROUNDS / 10
        assert reader.known == {row.id: row.seq for row in rows}


async def test_the_history_of_one_handoff_is_read_without_holes_while_eight_write_it(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await _opened(world, ["kim"])
        handoff = await world.handoff_of(lead_id("kim"))
        caller = api.key("leads:read")
        seen: list[int] = []

        async def write() -> None:
            left = 10
            while left:
                try:
                    await world.act(handoff.id, inputs.Accept(token=999, by=UserId(rep_id("anna"))))
                except Exception as error:
                    if not is_transient(error):  # waiting for seven others may take longer than a lock is waited for
                        raise
                else:
                    left -= 1

        async def read(cursor: str | None) -> str | None:
            while True:
                more = {"limit": 3} | ({} if cursor is None else {"cursor": cursor})
                page = (await caller.get(f"/v1/handoffs/{handoff.id}/events?{urlencode(more)}")).json()
                seen.extend(row["id"] for row in page["events"])
                if page["next"] is None:
                    return cursor
                cursor = page["next"]

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(write()) for _ in range(WRITERS)]
            while not all(task.done() for task in tasks):
                seen.clear()
                await read(None)
                assert seen == sorted(set(seen))
        seen.clear()
        await read(None)
        assert len(seen) > WRITERS * 10
        stored = await world.rows("select id from handoff_event where handoff_id = :id order by id", id=handoff.id)
        assert seen == [row.id for row in stored]


@pytest.mark.parametrize(
    "forged",
    [
        ["2026-06-10T12:00:00", str(UUID(int=1))],  # a moment without its offset
        ["9999-12-31T23:59:59-23:59", str(UUID(int=1))],
        ["soon", str(UUID(int=1))],
        ["2026-06-10T12:00:00+00:00", "kim"],
        ["2026-06-10T12:00:00+00:00", "\x00"],
        [str(2**63)],
        ["-1"],
        ["1e3"],
        ["٣"],
        [],
        ["1", "2", "3"],
    ],
)
async def test_a_forged_cursor_is_refused_by_its_name(database_of: DatabaseOf, forged: list[str]) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await _opened(world, ["kim"])
        handoff = await world.handoff_of(lead_id("kim"))
        caller = api.key("leads:read")
        for path in ("/v1/handoffs", f"/v1/handoffs/{handoff.id}/events"):
            for cursor in (cursor_of(*forged), "%%%", "bm90IGpzb24"):
                refused = await caller.get(f"{path}?{urlencode({'cursor': cursor})}")
                assert refused.status_code == 422, refused.text
                assert [each["pointer"] for each in refused.json()["errors"]] == ["query:cursor"]


async def test_a_change_is_in_the_log_whoever_writes_it(database_of: DatabaseOf) -> None:
    """As a process of the release before does, in a deployment that takes hours."""
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"))
        kim = await world.handoff_of(lead_id("kim"))
        await world.advance(hours=3)
        async with transaction(world.database, "command") as tx:
            await tx.execute("update handoff set changed_at = baton_now() where id = :id", {"id": kim.id})
        kept = await world.rows("select distinct changed_at from handoff_change where handoff_id = :id", id=kim.id)
        assert {row.changed_at for row in kept} == {kim.changed_at, world.now}
