"""The fixtures every other integration test rests on."""

from datetime import UTC, datetime

import asyncpg

from deploy.local.kafka import answers
from tests.support.world import set_world


async def test_an_empty_database_has_the_runtime_tables_and_a_clock_that_can_be_set(empty_database: str) -> None:
    moment = datetime(2026, 6, 1, 12, tzinfo=UTC)
    await set_world(empty_database, at=moment)
    connection = await asyncpg.connect(empty_database)
    try:
        assert await connection.fetchval("select baton_now()") == moment
        assert await connection.fetchval("select count(*) from outbox") == 0
    finally:
        await connection.close()


async def test_two_clones_share_nothing(empty_database: str, postgres_url: str) -> None:
    assert empty_database.startswith(postgres_url)
    connection = await asyncpg.connect(empty_database)
    try:
        assert await connection.fetchval("select count(*) from heartbeat") == 0
        await connection.execute("insert into heartbeat values ('x', now())")
    finally:
        await connection.close()


def test_the_broker_of_the_run_answers(kafka: str) -> None:
    assert answers(int(kafka.rpartition(":")[2]))
