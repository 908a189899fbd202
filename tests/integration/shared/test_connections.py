"""Our way to the driver answers, fails and breaks like SQLAlchemy's own connection; a broken one is replaced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ARRAY,
    Column,
    Executable,
    Float,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.db.connection import Connection
from shared.db.engine import Database, ReadTx, is_transient, is_unstorable, read_whole_tables, reading, transaction
from shared.ids import derived_id

_THING = Table(
    "thing",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("words", ARRAY(Text)),
    Column("doc", JSONB),
    Column("share", Float),
)
_MAKE = "create table if not exists thing (id uuid primary key, words text[], doc jsonb, share float8)"
_IDS = [derived_id("thing", number) for number in range(3)]
_BY_IDS = select(_THING).where(_THING.c.id == bindparam("id"), _THING.c.words != ["none"])
_TYPED = text("select id, doc from thing where id = any(:ids) order by id").bindparams(
    bindparam("ids", type_=ARRAY(Uuid))
)


@asynccontextmanager
async def _filled(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=1)
    try:
        async with transaction(database, "command") as tx:
            await tx.execute(_MAKE)
            rows = [{"id": each, "words": ["a", "b"], "doc": {"n": each.hex}, "share": 0.5} for each in _IDS]
            await tx.execute(insert(_THING), rows)
        yield database
    finally:
        await database.close()


async def _both(database: Database, connection: Connection, statement: Executable, **values: object) -> list[Any]:
    """The rows of SQLAlchemy's own connection and of ours, which plans a constant when it comes a second time."""
    async with database.engine.connect() as theirs:
        own = (await theirs.execute(statement, values)).all()
    for _ in range(3):
        rows = (await connection.execute(statement, values)).all()
        assert rows == own
        assert [list(row._mapping) for row in rows] == [list(row._mapping) for row in own]
    return list(own)


async def test_rows_are_the_same_whichever_way_they_came(empty_database: str) -> None:
    async with _filled(empty_database) as database, reading(database) as view:
        rows = await _both(database, view.connection, _BY_IDS, id=_IDS[0])
        assert [tuple(row) for row in rows] == [(_IDS[0], ["a", "b"], {"n": _IDS[0].hex}, 0.5)]
        assert len(await _both(database, view.connection, _TYPED, ids=_IDS)) == 3
        assert len(await _both(database, view.connection, text("select id from thing where id = any(:ids)"), ids=_IDS))
        found = await view.execute("select id as one, doc as other from thing order by id limit 1")
        assert dict(found.mappings().one()) == {"one": min(_IDS), "other": {"n": min(_IDS).hex}}
        assert isinstance((await view.execute(_TYPED, {"ids": _IDS})).scalars().first(), UUID)


async def test_a_statement_built_for_a_call_takes_its_own_literals(empty_database: str) -> None:
    async with _filled(empty_database) as database, reading(database) as view:
        for each in _IDS:
            found = await _both(database, view.connection, select(_THING.c.id, _THING.c.doc).where(_THING.c.id == each))
            assert found == [(each, {"n": each.hex})]
        for most in (2, 3, 2):
            listed = select(_THING.c.id).where(_THING.c.id.in_(_IDS[:most]), _THING.c.share > 0.1)
            assert len(await _both(database, view.connection, listed)) == most


async def test_changes_built_in_core_are_carried_out(empty_database: str) -> None:
    async with _filled(empty_database) as database, transaction(database, "command") as tx:
        one = update(_THING).where(_THING.c.id == _IDS[0])
        assert (await tx.execute(one, {"doc": {"n": 1}})).rowcount == 1
        assert (await tx.execute(one, {"share": 0.25})).rowcount == 1
        changed = (await tx.execute(select(_THING.c.doc, _THING.c.share).where(_THING.c.id == _IDS[0]))).one()
        assert tuple(changed) == ({"n": 1}, 0.25)
        gone = await tx.execute(delete(_THING).where(_THING.c.share == 0.5).returning(_THING.c.id))
        assert set(gone.scalars()) == set(_IDS[1:])


async def test_a_commit_after_a_swallowed_failure_is_told(empty_database: str) -> None:
    async with _filled(empty_database) as database:

        async def swallow() -> None:
            async with transaction(database, "command") as tx:
                await tx.execute("update thing set doc = null")
                with pytest.raises(DBAPIError):
                    await tx.execute("select 1/0")

        with pytest.raises(DBAPIError, match="had failed"):
            await swallow()
        async with reading(database) as view:
            assert (await view.execute("select count(*) from thing where doc is null")).scalar_one() == 0


async def test_who_waits_for_a_connection_is_told_whose_are_all_in_use(empty_database: str) -> None:
    database = Database(empty_database, pool_size=1, application_name="small one")
    try:
        async with reading(database):
            with pytest.raises(PoolTimeoutError, match="All 1 connections of small one"):
                async with asyncio.timeout(30), reading(database):
                    pass
        async with reading(database) as view:
            assert (await view.execute("select 1")).scalar_one() == 1
    finally:
        await database.close()


async def test_whatever_holds_values_is_an_array_and_a_text_is_none(empty_database: str) -> None:
    texts = {"a": "b", "c": "d"}
    async with _filled(empty_database) as database, reading(database) as view:
        for given in (list(texts), tuple(texts), set(texts), frozenset(texts), texts.keys(), texts.values(), []):
            found = await view.execute("select cast(:given as text[])", {"given": given})
            assert sorted(found.scalar_one()) == sorted(given)
        nested = await view.execute("select cast(:given as int[])", {"given": [[1, 2], [3, 4]]})
        assert nested.scalar_one() == [[1, 2], [3, 4]]
        with pytest.raises(DBAPIError, match="container expected"):
            await view.execute("select cast(:given as text[])", {"given": "a text"})


async def test_a_change_tells_how_many_rows_it_touched(empty_database: str) -> None:
    async with _filled(empty_database) as database, transaction(database, "command") as tx:
        assert (await tx.execute("update thing set doc = null where id = any(:ids)", {"ids": _IDS[:2]})).rowcount == 2
        assert (await tx.execute("delete from thing where doc is null returning id")).rowcount == 2
        assert (await tx.execute("delete from thing where doc is null")).rowcount == 0


async def test_errors_are_wrapped_and_the_savepoint_holds(empty_database: str) -> None:
    async with _filled(empty_database) as database:
        async with transaction(database, "command") as tx:
            with pytest.raises(IntegrityError) as twice:
                async with tx.connection.begin_nested():
                    await tx.execute("insert into thing (id) values (:id)", {"id": _IDS[0]})
            assert not is_transient(twice.value)
            assert str(_IDS[0]) not in str(twice.value)
            with pytest.raises(DBAPIError) as unstorable:
                async with tx.connection.begin_nested():
                    await tx.execute("select cast(:word as text)", {"word": "a\0b"})
            assert is_unstorable(unstorable.value)
            with pytest.raises(KeyError, match="word"):
                await tx.execute("select cast(:word as text)", {})
            await tx.execute("update thing set doc = null")
        async with reading(database) as view:
            assert (await view.execute("select count(*) from thing where doc is null")).scalar_one() == 3


async def test_a_table_that_changed_is_read_anew_after_one_failure(empty_database: str) -> None:
    async with _filled(empty_database) as database:
        for _ in range(2):
            async with reading(database) as view:
                await view.execute("select * from thing")
        async with transaction(database, "command") as tx:
            await tx.execute("alter table thing add column later text default 'new'")
        with pytest.raises(DBAPIError, match="cached statement plan is invalid") as stale:
            async with reading(database) as view:
                await view.execute("select * from thing")
        assert is_transient(stale.value), "the same work again is right: nothing is parked or told as our defect"
        async with reading(database) as view:
            assert {row.later for row in (await view.execute("select * from thing")).all()} == {"new"}


async def test_a_worker_reads_whole_tables_only_where_it_says_so_and_compiles_nothing(empty_database: str) -> None:
    async def settings(view: ReadTx) -> list[str]:
        return [(await view.execute(f"show {name}")).scalar_one() for name in ("enable_seqscan", "jit")]

    async with _filled(empty_database) as worker:
        async with reading(worker) as view:
            assert await settings(view) == ["off", "off"]
            await read_whole_tables(view)
            assert await settings(view) == ["on", "off"]
        async with reading(worker) as view:
            assert await settings(view) == ["off", "off"]
    api = Database(empty_database, pool_size=1, workload="api")
    try:
        async with reading(api) as view:
            assert await settings(view) == ["on", "off"]
    finally:
        await api.close()


async def test_the_server_is_told_when_to_take_the_host_of_a_lock_for_dead(empty_database: str) -> None:
    database = Database(empty_database, pool_size=1)
    connection = await database.connect_apart("apart")
    try:
        asked = "select sourcefile is null from pg_settings where name like 'tcp_%' and source = 'client'"
        assert len((await connection.execute(asked)).all()) == 4
    finally:
        await connection.close()


async def test_a_broken_connection_is_given_up(empty_database: str) -> None:
    async with _filled(empty_database) as database:
        async with reading(database) as view:
            with pytest.raises(DBAPIError) as broken:
                await view.execute("select pg_terminate_backend(pg_backend_pid())")
        assert is_transient(broken.value)
        async with reading(database) as view:
            assert (await view.execute("select 1")).scalar_one() == 1


async def test_an_abandoned_statement_takes_its_connection_along(empty_database: str) -> None:
    async with _filled(empty_database) as database:

        async def wait() -> None:
            async with transaction(database, "command") as tx:
                await tx.execute("insert into thing (id) values (:id)", {"id": derived_id("abandoned")})
                started.set()
                await tx.execute("select pg_sleep(30)")

        started = asyncio.Event()
        waiting = asyncio.ensure_future(wait())
        await started.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with reading(database) as view:
            assert (await view.execute("select count(*) from thing")).scalar_one() == 3
