"""Fresh databases by cloning templates: one template per service and run, migrated and on the test world clock.

Workers share the templates; an advisory lock lets one make each. A clone costs 20 ms in memory.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.demo.world_clock import INSTALL
from shared.db.migrate import migrate
from shared.db.runtime_ddl import RUNTIME_1
from shared.ids import new_id

__all__ = ["Databases", "url_of"]

_EMPTY = "runtime_only"


def url_of(server_url: str, database: str) -> str:
    """The URL of one database of a server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


class Databases:
    """Makes databases on one server and drops what one test made."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self._made: list[str] = []

    async def of(self, service: str) -> str:
        """The URL of a fresh database with this service's newest schema and the test world clock."""
        return await self._clone(service, lambda url: migrate(url, service))

    async def empty(self) -> str:
        """The URL of a fresh database with the runtime's own tables only, and the test world clock."""
        return await self._clone(_EMPTY, _make_runtime_tables)

    async def drop_all(self) -> None:
        """Drop what was made here, whoever is still connected."""
        async with self._server() as connection:
            for name in self._made:
                await connection.execute(f'drop database if exists "{name}" with (force)')
        self._made.clear()

    async def _clone(self, what: str, prepare: Callable[[str], Awaitable[object]]) -> str:
        name = f"t_{what}_{new_id().hex}"
        async with self._server() as connection:
            template = await self._template(connection, what, prepare)
            await connection.execute(f'create database "{name}" template "{template}" strategy = wal_log')
        self._made.append(name)
        return url_of(self.server_url, name)

    async def _template(
        self, connection: asyncpg.Connection, what: str, prepare: Callable[[str], Awaitable[object]]
    ) -> str:
        template = f"template_{what}"
        await connection.execute("select pg_advisory_lock(hashtext($1))", template)
        try:
            if not await connection.fetchval("select true from pg_database where datname = $1", template):
                # Under another name until it is complete: a run that dies half-way leaves no half template behind.
                await connection.execute(f'drop database if exists "{template}_making" with (force)')
                await connection.execute(f'create database "{template}_making"')
                making = url_of(self.server_url, f"{template}_making")
                await prepare(making)
                await _run(making, INSTALL)
                await connection.execute(f'alter database "{template}_making" rename to "{template}"')
        finally:
            await connection.execute("select pg_advisory_unlock(hashtext($1))", template)
        return template

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(url_of(self.server_url, "postgres"), timeout=30)
        try:
            yield connection
        finally:
            await connection.close()


async def _make_runtime_tables(url: str) -> None:
    await _run(url, RUNTIME_1)


async def _run(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
    finally:
        await connection.close()
