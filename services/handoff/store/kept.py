"""What came before a handoff could take it (tries, results of deals): how long it waits, and how it goes.

Two tables, one life: kept by person, claimed by the handoff that opens, forgotten when none did.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Table, text

from shared.db.engine import Tx

__all__ = ["claim", "prune"]

# A handoff that opens later than this after the act is another story.
KEPT_DAYS = 60
_PRUNE_AT_ONCE = 5000


async def claim(tx: Tx, table: Table, ids: Sequence[UUID]) -> None:
    """These have moved a handoff."""
    if ids:
        statement = text(f"delete from {table.name} where id = any(:ids)")  # noqa: S608 - a table of ours
        await tx.execute(statement, {"ids": list(ids)})


async def prune(tx: Tx, table: Table) -> None:
    """Forget what no handoff claimed, oldest first, a bounded number at once."""
    await tx.execute(
        text(
            f"""
            delete from {table.name} where id in
                (select id from {table.name} where recorded_at < baton_now() - make_interval(days => :days)
                  order by recorded_at limit :limit)
            """  # noqa: S608 - a table of ours
        ),
        {"days": KEPT_DAYS, "limit": _PRUNE_AT_ONCE},
    )
