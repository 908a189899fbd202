"""A connection that rested is asked whether it still lives; one that broke costs one transient failure at most."""

import asyncpg
import pytest
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from shared.db.engine import Database, is_transient, reading, transaction
from tests.support.databases import url_of


async def _kill_backends(postgres_url: str, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    connection = await asyncpg.connect(url_of(postgres_url, "postgres"))
    try:
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    finally:
        await connection.close()


def _say_used_at(database: Database, moment: float) -> None:
    """Let every connection given back look as if it was used at this moment, without waiting for it."""

    def note(_: object, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = moment

    event.listen(database.engine.sync_engine, "checkin", note)


async def test_a_dead_connection_that_rested_is_replaced_unseen(postgres_url: str, empty_database: str) -> None:
    database = Database(empty_database, pool_size=1)
    _say_used_at(database, float("-inf"))
    try:
        async with transaction(database, "command") as tx:
            await tx.execute("insert into heartbeat values ('before', now())")
        await _kill_backends(postgres_url, empty_database)
        async with reading(database) as view:
            assert (await view.execute("select count(*) from heartbeat")).scalar_one() == 1
    finally:
        await database.close()


async def test_one_that_broke_just_now_fails_as_transient_and_the_next_work_goes_on(
    postgres_url: str, empty_database: str
) -> None:
    database = Database(empty_database, pool_size=1)
    _say_used_at(database, float("inf"))
    try:
        async with reading(database) as view:
            await view.execute("select 1")
        await _kill_backends(postgres_url, empty_database)
        with pytest.raises(Exception) as failed:  # noqa: PT011 - which one is the driver's affair; what it means is ours
            async with reading(database) as view:
                await view.execute("select 1")
        assert is_transient(failed.value)
        async with reading(database) as view:
            assert (await view.execute("select 1")).scalar_one() == 1
    finally:
        await database.close()
