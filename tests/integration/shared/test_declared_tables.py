"""Each service's migrations make the tables it declares; indexes may stand in the migrations alone."""

from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from shared.config import SERVICES
from shared.db.engine import Database

_MAY_STAND_ALONE = {"remove_index", "remove_constraint", "remove_fk"}


def differences(connection: Connection, declared: MetaData) -> Iterator[str]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    for each in compare_metadata(context, declared):
        part = each[0] if isinstance(each, list) else each
        # A table nobody declares is the runtime's, or written by SQL alone.
        if part[0] not in _MAY_STAND_ALONE and part[0] != "remove_table":
            yield str(part)


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_make_the_declared_tables(service: str, database_of: Callable[[str], Awaitable[str]]) -> None:
    declared = import_module(f"services.{service}.tables").METADATA
    database = Database(await database_of(service))
    try:
        async with database.engine.connect() as connection:
            assert await connection.run_sync(lambda sync: list(differences(sync, declared))) == []
    finally:
        await database.close()
