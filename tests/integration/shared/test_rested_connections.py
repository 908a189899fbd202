"""A connection that broke while it rested is replaced unseen; one that breaks within a unit of work fails that one."""

import asyncpg
import pytest

from shared.db.engine import Database, is_transient, reading, transaction
from tests.support.databases import url_of


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
