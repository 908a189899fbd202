"""Brings one service's database to its newest schema.

Creates the database when it is missing, then runs Alembic under a lock.

Each file runs in its own transaction with lock timeout 4 s and statement timeout 5 s; an advisory lock keeps two runs
apart, and a run that was killed half-way is finished by the next one.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.db.engine import ReadTx, driver_url

__all__ = ["ClockFound", "clock_of", "migrate", "revision_of", "revisions_of"]

_MIGRATION_LOCK = 0x4261746F6E  # any constant; "Baton" in ASCII
_CLOCK = text(
    """
    select to_regnamespace('world_clock') is not null as is_movable,
           (select trim(prosrc) from pg_proc where oid = to_regproc('public.baton_now')) as body
    """
)
_NO_SUCH_DATABASE = "3D000"
_DUPLICATE_DATABASE = ("42P04", "23505")


async def migrate(database_url: str, service: str) -> str:
    """Create the database if missing, run the service's pending migrations, and return the revision it then has.

    Several processes may call it at once: one works, the others wait and find nothing to do.
    """
    await _create_if_missing(database_url)
    engine = create_async_engine(driver_url(database_url), poolclass=NullPool)
    try:
        async with engine.connect() as guard, engine.connect() as connection:
            await guard.execute(text("select pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            await guard.commit()  # the lock is the session's; an open transaction would hold a snapshot
            await connection.run_sync(_upgrade, _config(service))
            return await connection.run_sync(revision_of)
    finally:
        await engine.dispose()


def revisions_of(service: str) -> list[str]:
    """The revisions in the service's folder, oldest first; the last is what the running code was written for."""
    scripts = ScriptDirectory.from_config(_config(service))
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def revision_of(connection: Connection) -> str:
    """The revision a database has, or an empty text when none was ever run."""
    return MigrationContext.configure(connection).get_current_revision() or ""


@dataclass(frozen=True, slots=True)
class ClockFound:
    """Which world clock a database has: whether it can be moved, and the body of its baton_now()."""

    is_movable: bool
    body: str


async def clock_of(tx: ReadTx) -> ClockFound:
    """The world clock of a database."""
    row = (await tx.execute(_CLOCK)).one()
    return ClockFound(row.is_movable, row.body or "")


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config(service: str) -> Config:
    spec = find_spec(f"services.{service}")
    if spec is None or spec.origin is None:
        raise ValueError(f"There is no service named {service}.")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic_env"))
    config.set_main_option("version_locations", str(Path(spec.origin).parent / "migrations" / "versions"))
    config.set_main_option("path_separator", "newline")
    return config


async def _create_if_missing(database_url: str) -> None:
    parts = urlsplit(driver_url(database_url))
    name = parts.path.lstrip("/")
    if not name.replace("_", "").isalnum():
        raise ValueError("A database name has letters, digits and underscores only.")
    engine = create_async_engine(urlunsplit(parts), poolclass=NullPool)
    try:
        async with engine.connect():
            return
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _NO_SUCH_DATABASE:
            raise
    except Exception as error:
        if getattr(error, "sqlstate", None) != _NO_SUCH_DATABASE:
            raise
    finally:
        await engine.dispose()
    await _create(urlunsplit(parts._replace(path="/postgres")), name)


async def _create(server_url: str, name: str) -> None:
    engine = create_async_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f'create database "{name}"'))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _DUPLICATE_DATABASE:  # another process made it meanwhile
            raise
    finally:
        await engine.dispose()
