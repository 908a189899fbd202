"""The change numbers of the read model: drawn from one counter row, as a transaction's last statement.

The counter's row lock is held from there to the commit, so number order is commit order and a reader that follows the
numbers misses nothing. The newest CHANGES_KEPT stay; who comes from further back loads its page again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db.engine import ReadTx, Tx

__all__ = ["CHANGES_KEPT", "Change", "changes_after", "current_number", "drop_old_changes", "number_changes"]

CHANGES_KEPT = 5_000
READ_MOST = 500  # changes a reader takes at once


@dataclass(frozen=True, slots=True)
class Change:
    """Something a page may show changed: a handoff (with its person), or a person alone."""

    number: int
    lead_id: UUID | None
    handoff_id: UUID | None


async def number_changes(tx: Tx, changes: Sequence[tuple[UUID | None, UUID | None]]) -> None:
    """Give each (lead, handoff) the next number; nothing may follow in the same transaction."""
    if not changes:
        return
    await tx.execute(
        """
        with counter as (update change_counter set number = number + :count where id = 1 returning number)
        insert into change (number, lead_id, handoff_id)
        select counter.number - :count + given.ordinal, given.lead_id, given.handoff_id
          from counter, unnest(cast(:leads as uuid[]), cast(:handoffs as uuid[]))
               with ordinality as given (lead_id, handoff_id, ordinal)
        """,
        {
            "count": len(changes),
            "leads": [lead_id for lead_id, _ in changes],
            "handoffs": [handoff_id for _, handoff_id in changes],
        },
    )


async def current_number(tx: ReadTx) -> int:
    """The number of the newest change; 0 before the first."""
    return int((await tx.execute("select number from change_counter where id = 1")).scalar_one())


async def changes_after(tx: ReadTx, number: int) -> list[Change]:
    """The next changes in order, at most READ_MOST."""
    found = await tx.execute(
        "select number, lead_id, handoff_id from change where number > :number order by number limit :most",
        {"number": number, "most": READ_MOST},
    )
    return [Change(row.number, row.lead_id, row.handoff_id) for row in found]


async def drop_old_changes(tx: Tx) -> None:
    """Forget what lies behind the kept window."""
    await tx.execute(
        "delete from change where number <= (select number from change_counter where id = 1) - :kept",
        {"kept": CHANGES_KEPT},
    )
