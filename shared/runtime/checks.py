"""What must be true before a process does anything: the right clock, the schema the code was written for.

Neither side touches the other's data: production refuses a movable clock in any form, demo and tests refuse a
database without one (DECISIONS 8). Every refusal ends the process with exit 70 and says what to do.
"""

from collections.abc import Sequence

from sqlalchemy import text

from shared.config import ServiceSettings
from shared.db.engine import Database, reading
from shared.db.migrate import head_of, revision_of
from shared.db.runtime_ddl import BATON_NOW_BODY
from shared.errors import Fatal

__all__ = ["check_start"]

_CLOCK = text(
    """
    select to_regnamespace('world_clock') is not null as has_world_clock,
           (select trim(prosrc) from pg_proc where oid = to_regproc('public.baton_now')) as body
    """
)


async def check_start(settings: ServiceSettings, databases: Sequence[Database]) -> None:
    """Raise Fatal unless clock and schema are right for this environment.

    Does nothing for a process without a database.
    """
    is_movable = settings.environment.has_world_clock
    if settings.world_clock_file is not None and not is_movable:
        raise Fatal(
            f"A world clock file is set but BATON_ENVIRONMENT is {settings.environment}: only demo and test move it."
        )
    if not databases:
        return
    await _check_schema(settings, databases[0])
    async with reading(databases[0]) as tx:
        row = (await tx.execute(_CLOCK)).one()
    if is_movable and not row.has_world_clock:
        raise Fatal("This database has no world clock: it is not the demo's or a test's. Nothing was touched.")
    if not is_movable and (row.has_world_clock or row.body != BATON_NOW_BODY):
        raise Fatal("This database has a movable world clock: it belongs to a demo or a test. Nothing was touched.")


async def _check_schema(settings: ServiceSettings, database: Database) -> None:
    async with database.engine.connect() as connection:
        found = await connection.run_sync(revision_of)
    wanted = head_of(settings.service)
    if found != wanted:
        raise Fatal(
            f"The database of {settings.service} has schema {found or 'none'}, the code wants {wanted}: "
            f"run `python -m services.{settings.service}.app migrate`."
        )
