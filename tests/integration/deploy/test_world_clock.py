"""The movable clock.

One time in every database and process, never backwards, never in a database that is somebody's.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from deploy.demo.world_clock import NotOurs, WorldClockHand, install
from shared.clock import WorldClock
from shared.db.engine import Database, reading

_T0 = datetime(2030, 6, 1, 8, tzinfo=UTC)


@pytest_asyncio.fixture
async def database(empty_database: str) -> AsyncIterator[Database]:
    database = Database(empty_database, pool_size=1)
    yield database
    await database.close()


async def test_databases_and_file_show_the_same_time_after_a_step(database: Database, tmp_path: Path) -> None:
    hand = WorldClockHand([database], tmp_path / "clock.json")
    await hand.set(at=_T0, speed=0)
    async with reading(database) as tx:
        assert tx.now == _T0
    assert WorldClock.parse((tmp_path / "clock.json").read_text()).now() == _T0
    await hand.advance(timedelta(days=3))
    async with reading(database) as tx:
        assert tx.now == _T0 + timedelta(days=3)


async def test_time_never_goes_back(database: Database, tmp_path: Path) -> None:
    hand = WorldClockHand([database], tmp_path / "clock.json")
    await hand.set(at=_T0, speed=0)
    assert await hand.set(at=_T0 - timedelta(days=1)) == _T0
    # Another hand goes on where this one stopped.
    assert WorldClockHand([database], tmp_path / "clock.json").now() == _T0


async def test_a_database_that_is_in_use_without_a_movable_clock_is_left_alone(
    database: Database, empty_database: str
) -> None:
    connection = await asyncpg.connect(empty_database)
    try:
        await connection.execute("drop schema world_clock cascade")
        await connection.execute(
            "create or replace function baton_now() returns timestamptz language sql stable as 'select now()'"
        )
        await connection.execute("insert into inbox (consumer, event_id) values ('x', gen_random_uuid())")
        with pytest.raises(NotOurs, match="not a demo's"):
            await install(database)
        assert await connection.fetchval("select to_regnamespace('world_clock')") is None
    finally:
        await connection.close()
