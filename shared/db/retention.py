"""Forgets what the runtime need not remember: old inbox ids, expired idempotency keys, days of outbox_sent.

In small steps that never hold a lock for long. An id may leave the inbox once its repeat can no longer pass the
fence: after 8 days (7 of republishing and one more), deliveries after 35.
"""

from sqlalchemy import text

from shared.db.engine import Tx
from shared.db.runtime_ddl import SENT_SLOTS

__all__ = ["INBOX_DAYS", "SENT_DAYS", "forget_old"]

INBOX_DAYS = 8
SENT_DAYS = 8
SLICE_ROWS = 5_000

_INBOX = text(
    """
    delete from inbox where ctid in (
        select ctid from inbox where seen_at < now() - make_interval(days => :days) limit :rows
    )
    """
)
_KEYS = text(
    """
    delete from idempotency where ctid in (select ctid from idempotency where kept_until < now() limit :rows)
    """
)
_OLD_SLOTS = text(
    f"""
    select distinct slot from outbox_sent
     where slot <> all (
         select (current_date - day - date '2000-01-01') % {SENT_SLOTS} from generate_series(0, :days) as day
     )
    """  # noqa: S608 - a constant of ours
)


async def forget_old(tx: Tx, *, inbox_days: int = INBOX_DAYS) -> None:
    """One step of forgetting; called every minute it keeps up with 80 events a second per service."""
    await tx.execute(_INBOX, {"days": inbox_days, "rows": SLICE_ROWS})
    await tx.execute(_KEYS, {"rows": SLICE_ROWS})
    for slot in (await tx.execute(_OLD_SLOTS, {"days": SENT_DAYS})).scalars().all():
        await tx.execute(f"truncate outbox_sent_{int(slot)}")
