"""The runtime's tables: migrated once however many come at once, kept small, and checked by the ledger."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from shared.contracts.envelope import headers_of
from shared.db.engine import Database, is_transient, reading, transaction
from shared.db.ledger import RUNTIME_CHECKS, find_gaps
from shared.db.migrate import migrate, revision_of, revisions_of
from shared.db.outbox_rows import headers_from_text, headers_to_text
from shared.db.retention import forget_old
from shared.ids import new_id
from tests.integration.shared.stage import erased
from tests.support.databases import url_of


@pytest_asyncio.fixture
async def database(empty_database: str) -> AsyncIterator[Database]:
    made = Database(empty_database)
    yield made
    await made.close()


async def run(database: Database, sql: str) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text(sql))


async def test_two_migrations_at_once_make_one_schema(postgres_url: str) -> None:
    name = f"m_{new_id().hex}"
    url = url_of(postgres_url, name)
    revisions = await asyncio.gather(*(migrate(url, "scoring") for _ in range(3)))
    assert set(revisions) == {revisions_of("scoring")[-1]}
    database = Database(url)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(revision_of) == revisions_of("scoring")[-1]
    await database.close()
    server = await asyncpg.connect(url_of(postgres_url, "postgres"))
    await server.execute(f'drop database "{name}" with (force)')
    await server.close()


async def test_an_unknown_service_has_no_migrations() -> None:
    with pytest.raises(ValueError, match="no service"):
        revisions_of("nobody")


async def test_the_session_has_its_bounds(database: Database) -> None:
    expected = {
        "statement_timeout": "30s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "default_transaction_isolation": "read committed",
        "TimeZone": "UTC",
        "application_name": "baton",
    }
    async with reading(database) as tx:
        found = {name: (await tx.execute(text(f"show {name}"))).scalar_one() for name in expected}
    assert found == expected
    api = Database(database.url, workload="api")
    async with reading(api) as tx:
        assert (await tx.execute(text("show statement_timeout"))).scalar_one() == "2s"
    await api.close()


async def test_a_reading_transaction_keeps_nothing(database: Database) -> None:
    async with reading(database) as tx:
        await tx.execute("insert into heartbeat values ('x', now())")
    async with reading(database) as tx:
        assert (await tx.execute("select count(*) from heartbeat")).scalar_one() == 0


async def test_cancelled_work_leaves_no_connection_behind(database: Database) -> None:
    async def work() -> None:
        async with transaction(database, "periodic") as tx:
            await tx.execute("insert into heartbeat values ('x', now())")
            await tx.execute("select pg_sleep(20)")

    for _ in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await work()
    async with transaction(database, "periodic") as tx:
        assert (await tx.execute("select count(*) from heartbeat")).scalar_one() == 0
        busy = await tx.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and state <> 'idle'"
        )
        assert busy.scalar_one() <= 1 + database.pool_size


async def test_old_rows_are_forgotten_and_young_ones_kept(database: Database) -> None:
    await run(
        database,
        """
        insert into inbox (consumer, event_id, seen_at)
        select 'scoring', gen_random_uuid(), now() - make_interval(days => n) from generate_series(0, 19) as n
        """,
    )
    await run(
        database,
        """
        insert into outbox_sent (slot, id, topic, key, event_id, headers, payload, sent_at)
        select (current_date - n - date '2000-01-01') % 10, n, 't', 'k', gen_random_uuid(), '{}', '{}',
               now() - make_interval(days => n)
          from generate_series(0, 9) as n
        """,
    )
    await run(
        database,
        """
        insert into idempotency (principal, route, key, body_sha256, kept_until, status, answer)
        values ('p', 'r', 'old', '', now() - interval '1 hour', 200, '{}'),
               ('p', 'r', 'new', '', now() + interval '1 hour', 200, '{}')
        """,
    )
    async with transaction(database, "periodic") as tx:
        await forget_old(tx)
        assert (await tx.execute("select count(*) from inbox")).scalar_one() == 8
        assert (await tx.execute("select array_agg(id order by id) from outbox_sent")).scalar_one() == list(range(9))
        assert (await tx.execute("select key from idempotency")).scalars().all() == ["new"]


async def test_the_ledger_finds_each_gap_of_the_runtime(database: Database) -> None:
    async with reading(database) as tx:
        assert await find_gaps(tx, RUNTIME_CHECKS) == []
    await run(
        database,
        """
        insert into parked (id, consumer, topic, partition, "offset", event_id, event_type, key, headers, payload,
                            reason, detail, is_ours)
        values (gen_random_uuid(), 'scoring', 'leads', 0, 1, gen_random_uuid(), 't', 'k', '{}', '', 'failed', '', true)
        """,
    )
    await run(
        database,
        """
        insert into outbox (topic, key, event_id, headers, payload, written_at)
        values ('leads', 'k', gen_random_uuid(), '{}', '{}', now() - interval '2 minutes')
        """,
    )
    await run(database, "insert into outbox_sent select 0, id, topic, key, event_id, headers, payload from outbox")
    await run(
        database,
        "insert into idempotency (principal, route, key, body_sha256, kept_until) values ('p', 'r', 'k', '', now())",
    )
    async with reading(database) as tx:
        found = {gap.name: gap.rows for gap in await find_gaps(tx, RUNTIME_CHECKS)}
    assert found == {
        "each parked event is in the inbox": 1,
        "no event is both waiting and sent under one number": 1,
        "no event waits longer than a minute": 1,
        "each kept command has its answer": 1,
    }


def test_headers_come_back_as_they_were_whatever_their_bytes() -> None:
    for headers in (headers_of(erased(1)), [("a", b"\x00\xff"), ("b", "é€".encode()), ("c", b"")]):
        assert headers_from_text(headers_to_text(headers)) == headers


def test_what_is_transient_is_told_from_what_is_wrong() -> None:
    assert is_transient(TimeoutError())
    assert is_transient(ConnectionResetError())
    assert not is_transient(ValueError())
