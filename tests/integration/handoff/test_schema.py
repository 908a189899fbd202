"""The migrated schema is the one that `tables` declares."""

from collections.abc import Awaitable, Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.handoff.tables import metadata
from shared.db.engine import Database

DatabaseOf = Callable[[str], Awaitable[str]]


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    mine = set(metadata.tables)
    found = compare_metadata(context, metadata)
    return [each for each in found if _table_of(each) in mine]


def _table_of(difference: object) -> str | None:
    if isinstance(difference, list):
        return _table_of(difference[0])
    assert isinstance(difference, tuple)
    named = [getattr(part, "table", part) for part in difference]
    names = [str(getattr(part, "name", part)) for part in named]
    return next((name for name in names if name in metadata.tables), None)


async def test_migrations_make_the_declared_tables(database_of: DatabaseOf) -> None:
    database = Database(await database_of("handoff"))
    try:
        async with database.engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
    finally:
        await database.close()
