"""The migrated schema is the one that `tables` declares."""

from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, inspect

from services.console.tables import METADATA
from shared.db.engine import Database


def _differences(connection: Connection) -> list[str]:
    found, inspector = [], inspect(connection)
    for table in METADATA.tables.values():
        made = {column["name"]: column for column in inspector.get_columns(table.name)}
        declared = {column.name: column for column in table.columns}
        found += [f"{table.name}.{name}" for name in made.keys() ^ declared.keys()]
        for name in made.keys() & declared.keys():
            if made[name]["nullable"] != declared[name].nullable:
                found.append(f"{table.name}.{name} nullable")
            if made[name]["type"].python_type is not declared[name].type.python_type:
                found.append(f"{table.name}.{name} {made[name]['type']}")
        key = set(inspector.get_pk_constraint(table.name)["constrained_columns"])
        if key != {column.name for column in table.primary_key}:
            found.append(f"{table.name} key {key}")
    return found


async def test_migrations_make_the_declared_tables(database_of: Callable[[str], Awaitable[str]]) -> None:
    database = Database(await database_of("console"))
    try:
        async with database.engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
    finally:
        await database.close()
