"""A connection that broke while it rested is replaced unseen; one that breaks within a unit of work fails that one."""

import asyncio
import gc

import asyncpg
import pytest

from shared.clock import sleep
from shared.db.engine import Database, is_transient, reading, transaction
from tests.integration.shared.stage import PATIENCE_SECONDS, until
from tests.support.databases import url_of

CANCELLED = 100


async def _kill_backends(postgres_url: str, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    connection = await asyncpg.connect(url_of(postgres_url, "postgres"))
    try:
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    finally:
        await connection.close()


async def test_a_dead_connection_that_rested_is_replaced_unseen(postgres_url: str, empty_database: str) -> None:
    database = Database(empty_database, pool_size=3)
    try:
        async with reading(database), reading(database), transaction(database, "command") as tx:
            await tx.execute("insert into heartbeat values ('before', now())")
        await _kill_backends(postgres_url, empty_database)
        async with reading(database) as view:
            assert (await view.execute("select count(*) from heartbeat")).scalar_one() == 1
    finally:
        await database.close()


async def test_those_that_rested_beside_a_dead_one_are_not_asked(empty_database: str) -> None:
    own, looking = Database(empty_database, pool_size=3, application_name="one dies"), Database(empty_database)
    backend = "select pg_backend_pid()"
    try:
        async with reading(own) as first, reading(own) as second, reading(own) as third:
            views = (first, second, third)
            newest, *others = [int((await view.execute(backend)).scalar_one()) for view in views]
        async with reading(looking) as view:  # the first was given back last, and is given out first
            assert (await view.execute("select pg_terminate_backend(:one)", {"one": newest})).scalar_one()
        async with reading(own) as view:
            assert (await view.execute(backend)).scalar_one() not in {newest, *others}

            async def are_gone() -> bool:
                async with reading(looking) as looks:
                    asked = "select count(*) = 0 from pg_stat_activity where pid = any(:pids)"
                    return bool((await looks.execute(asked, {"pids": others})).scalar_one())

            await until(are_gone)
    finally:
        await own.close()
        await looking.close()


async def test_one_that_breaks_at_work_fails_as_transient_and_the_next_work_goes_on(
    postgres_url: str, empty_database: str
) -> None:
    database = Database(empty_database, pool_size=1)

    async def work() -> None:
        async with reading(database) as view:
            await view.execute("select 1")
            await _kill_backends(postgres_url, empty_database)
            await view.execute("select 1")

    try:
        with pytest.raises(Exception) as failed:  # noqa: PT011 - which one is the driver's affair; what it means is ours
            await work()
        assert is_transient(failed.value)
        async with reading(database) as view:
            assert (await view.execute("select 1")).scalar_one() == 1
    finally:
        await database.close()


async def test_single_statements_share_the_pool_and_commit_by_themselves(empty_database: str) -> None:
    database = Database(empty_database, pool_size=1)
    try:
        async with database.connection() as connection:
            await connection.execute("insert into heartbeat values ('alone', now())")
        async with reading(database) as view:
            assert (await view.execute("select count(*) from heartbeat")).scalar_one() == 1
    finally:
        await database.close()


async def _is_gone(looking: Database) -> bool:
    async with reading(looking) as view:
        asked = "select count(*) = 0 from pg_stat_activity where application_name = 'to be cancelled'"
        return bool((await view.execute(asked)).scalar_one())


async def test_work_cancelled_while_it_gives_back_leaves_no_connection_and_takes_no_room(empty_database: str) -> None:
    own, looking = Database(empty_database, pool_size=1, application_name="to be cancelled"), Database(empty_database)

    async def work(done: asyncio.Event) -> None:
        async with reading(own) as view:
            await view.execute("select 1")
            done.set()  # who waits for it goes on when the rollback is under way

    for times in (1, 2):
        done = asyncio.Event()
        working = asyncio.ensure_future(work(done))
        await done.wait()
        for _ in range(times):
            working.cancel()
            await sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await working
    await until(lambda: _is_gone(looking))
    async with asyncio.timeout(PATIENCE_SECONDS), reading(own):
        pass
    await own.close()
    await looking.close()
    gc.collect()  # what was not closed says so, which fails the test


async def test_work_cancelled_at_any_moment_leaves_no_connection_and_takes_no_room(empty_database: str) -> None:
    """While connecting, beginning, working, closing, and again while that goes on."""
    own, looking = Database(empty_database, pool_size=2, application_name="to be cancelled"), Database(empty_database)

    async def work() -> None:
        async with transaction(own, "command") as tx:
            await tx.execute("select 1")

    for number in range(CANCELLED):
        tasks = [asyncio.ensure_future(work()) for _ in range(3)]
        await asyncio.wait(tasks, timeout=number * 0.0001)
        for _ in range(1 + number % 2):
            await sleep(0.0)
            for task in tasks:
                task.cancel()
        await asyncio.wait(tasks)
        if number % 4 == 0:
            await own.close()  # the next ones connect anew
    async with asyncio.timeout(PATIENCE_SECONDS), reading(own), reading(own):
        pass
    await own.close()
    await until(lambda: _is_gone(looking))
    await looking.close()
    gc.collect()
