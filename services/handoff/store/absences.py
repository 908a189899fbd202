"""Absences of reps: planned, begun and ended by their own times, taken back while they last."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.handoff.store.rows import upsert_rows
from services.handoff.tables import absence
from shared.db.engine import ReadTx, Tx
from shared.ids import UserId

__all__ = ["begin_absences", "cancel_absence", "next_absence_at", "write_absences"]


async def write_absences(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Plan absences; the same one again changes nothing."""
    await upsert_rows(tx, absence, rows)


async def cancel_absence(tx: Tx, absence_id: UUID, rep_id: UserId) -> bool:
    """Take a planned or running absence back; False when there is none."""
    found = await tx.execute(
        text(
            "update absence set state = 'cancelled' where id = :id and rep_id = :rep and state in ('planned', 'begun')"
            " returning id"
        ),
        {"id": absence_id, "rep": rep_id},
    )
    return found.first() is not None


async def begin_absences(tx: Tx, *, limit: int) -> tuple[list[UserId], list[UserId]]:
    """Move absences on whose time has come: the reps that leave now, and those that are back."""
    begun = await tx.execute(
        text(
            """
            update absence set state = 'begun' where id in
                (select id from absence where state = 'planned' and from_at <= baton_now() and until_at > baton_now()
                  order by from_at limit :limit for update skip locked) returning rep_id
            """
        ),
        {"limit": limit},
    )
    leaving = [UserId(each) for each in begun.scalars()]
    ended = await tx.execute(
        text(
            """
            update absence set state = 'ended' where id in
                (select id from absence where state in ('planned', 'begun') and until_at <= baton_now()
                  order by until_at limit :limit for update skip locked) returning rep_id
            """
        ),
        {"limit": limit},
    )
    return leaving, [UserId(each) for each in ended.scalars()]


async def next_absence_at(tx: ReadTx) -> datetime | None:
    """The next moment at which an absence begins or ends."""
    found: datetime | None = (
        await tx.execute(
            """
            select min(case when state = 'planned' then from_at else until_at end) from absence
             where state in ('planned', 'begun')
            """
        )
    ).scalar()
    return found
