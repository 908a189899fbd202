"""Appends a batch to the history and holds the terms it is judged by: one statement, with only what the batch brings.

Appended only, each by an id of its own, so that a repeat adds nothing. The terms are held before anything is written:
a switch of terms takes them in this order too.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text

from services.scoring.domain.happened import Happened
from services.scoring.store.history import ACTIVITY_COLUMNS, ADDED_ACTIVITIES, activity_columns
from services.scoring.store.lead_records import ADDED_RECORDS, RECORD_COLUMNS, Move, record_columns
from services.scoring.store.terms import InForce, in_force
from shared.contracts.activities import ActivityRecorded
from shared.db.engine import Tx

__all__ = ["Appended", "append"]


class Appended(NamedTuple):
    """The terms in force, held until the transaction ends; the ids of activities that were new."""

    in_force: InForce
    new_ids: frozenset[UUID]


def _statement(*, has_activities: bool, has_records: bool) -> TextClause:
    """The terms' rows, and behind them, where there are activities, one that lists the new ones."""
    changes = {"activities": ADDED_ACTIVITIES} if has_activities else {}
    changes |= {"records": ADDED_RECORDS} if has_records else {}
    heads = ", ".join(f"added_{name} as ({sql})" for name, sql in changes.items())
    terms = "select slot, generation, ref, version, p_threshold, switched_at, cast(null as uuid[]) from hold_terms()"
    added = "select null, 0, null, 0, null, null, array_agg(activity_id) from added_activities"
    columns = (ACTIVITY_COLUMNS if has_activities else ()) + (RECORD_COLUMNS if has_records else ())
    sql = f"with {heads} {terms}" + (f" union all {added}" if has_activities else "")
    return text(sql).bindparams(*columns)


_WITH_ACTIVITIES = _statement(has_activities=True, has_records=False)
_WITH_RECORDS = _statement(has_activities=False, has_records=True)
_WITH_BOTH = _statement(has_activities=True, has_records=True)
_HOLD = text("select slot, generation, ref, version, p_threshold, switched_at, null from hold_terms()")


async def append(
    tx: Tx, recorded: Sequence[ActivityRecorded], records: Sequence[Happened], moves: Sequence[Move]
) -> Appended:
    """Append activities, records and moves of leads, under the terms in force."""
    has_records = bool(records or moves)
    if recorded:
        statement = _WITH_BOTH if has_records else _WITH_ACTIVITIES
    else:
        statement = _WITH_RECORDS if has_records else _HOLD
    parameters: dict[str, list[Any]] = activity_columns(recorded) if recorded else {}
    if has_records:
        parameters |= record_columns(records, moves)
    rows: Sequence[Any] = (await tx.execute(statement, parameters)).all()
    listed = rows[-1][6] if recorded else None
    return Appended(in_force([row[:6] for row in (rows[:-1] if recorded else rows)]), frozenset(listed or ()))
