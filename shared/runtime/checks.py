"""What must be true before a process does anything: the right clock, the schema the code was written for.

Neither side touches the other's data: production refuses a movable clock in any form, demo and tests refuse a database
without one (DECISIONS 8). Every refusal ends the process with exit 70 and says what to do.
"""

import asyncio
from collections.abc import Sequence

from shared.clock import sleep
from shared.config import ServiceSettings
from shared.db.engine import Database, is_transient, reading
from shared.db.migrate import clock_of, revision_of, revisions_of
from shared.db.runtime_ddl import BATON_NOW_BODY
from shared.errors import Fatal
from shared.ids import jitter
from shared.stream.flow import back_off_seconds
from shared.telemetry import log

__all__ = ["check_start"]


async def check_start(settings: ServiceSettings, databases: Sequence[Database], *, stop: asyncio.Event) -> None:
    """Return when clock and schema are right for this environment; wait while PostgreSQL is away. Raises Fatal.

    Looks at no database when the process has none. Returns early when asked to stop.
    """
    is_movable = settings.environment.has_world_clock
    if settings.world_clock_file is not None and not is_movable:
        raise Fatal(
            f"A world clock file is set but BATON_ENVIRONMENT is {settings.environment}: only demo and test move it."
        )
    tries = 0
    while databases and not stop.is_set():
        try:
            await _check_schema(settings, databases[0])
            await _check_clock(databases[0], is_movable=is_movable)
        except Exception as error:
            if not is_transient(error):
                raise
            tries += 1
            log.warning("database_waits", reason=type(error).__name__, again=tries)
            await sleep(back_off_seconds(tries, jitter=jitter()))
        else:
            return


async def _check_clock(database: Database, *, is_movable: bool) -> None:
    async with reading(database) as tx:
        found = await clock_of(tx)
    if is_movable and not found.is_movable:
        raise Fatal("This database has no world clock: it is not the demo's or a test's. Nothing was touched.")
    if not is_movable and (found.is_movable or found.body != BATON_NOW_BODY):
        raise Fatal("This database has a movable world clock: it belongs to a demo or a test. Nothing was touched.")


async def _check_schema(settings: ServiceSettings, database: Database) -> None:
    """An older schema is refused; one that this code does not know is newer, and `pre` migrations fit us too."""
    async with database.engine.connect() as connection:
        found = await connection.run_sync(revision_of)
    known = revisions_of(settings.service)
    if not found or (found in known and found != known[-1]):
        raise Fatal(
            f"The database of {settings.service} has schema {found or 'none'}, the code wants {known[-1]}: "
            f"run `python -m services.{settings.service}.app migrate`."
        )
