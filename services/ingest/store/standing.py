"""How sources stand: last delivery, deliveries and refused events by hour, reasons with samples, what is parked.

Reads what the consumer wrote of each delivery. Invariant: nothing here holds a body; ids of a sender's events may name
a person, so who may see them is decided by the route.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.ingest.store.statements import by_columns
from shared.db.engine import ReadTx

__all__ = ["hours_of", "last_deliveries", "open_parked", "parked_of", "refusals_of", "sums_of"]

DAY_HOURS: Final = 24
REFUSALS_DAYS: Final = 7
SAMPLES_MAX: Final = 3  # of one reason: enough to see what is wrong
REFUSALS_READ_MAX: Final = 10_000  # the newest; a source that is refused more often shows the same reasons

_LAST = by_columns(
    """
    select s.id, (select max(r.received_at) from delivery_result r
                   where r.source_id = s.id
                     and r.handled_at = (select max(handled_at) from delivery_result where source_id = s.id)) as at
      from unnest(:ids) as s (id)
    """,
    ids="uuid",
)
_SUMS = by_columns(
    """
    select source_id, count(*) as deliveries, sum(events) as events, sum(refused) as refused
      from delivery_result
     where source_id = any(:ids) and handled_at > baton_now() - make_interval(hours => :hours)
     group by source_id
    """,
    ids="uuid",
)
_HOURS = """
    select date_trunc('hour', handled_at) as hour, count(*) as deliveries, sum(events) as events,
           sum(refused) as refused
      from delivery_result
     where source_id = :id and handled_at > date_trunc('hour', baton_now()) - make_interval(hours => :hours - 1)
     group by 1 order by 1
"""
_REFUSALS = """
    with newest as (
        select reason, detail, event_id, index, refused_at from delivery_refusal
         where source_id = :id and refused_at > baton_now() - make_interval(days => :days)
         order by refused_at desc limit :most
    ), numbered as (
        select *, count(*) over (partition by reason) as of_reason,
               row_number() over (partition by reason order by refused_at desc, index) as place
          from newest
    )
    select * from numbered where place <= :samples order by of_reason desc, reason, place
"""
_PARKED = """
    select reason, count(*) as open, max(parked_at) as last_at from parked
     where state = 'open' and source = :source group by reason order by 2 desc, reason
"""


async def last_deliveries(tx: ReadTx, source_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When the newest handled delivery of each source came in; sources without one are absent."""
    rows = await tx.execute(_LAST, {"ids": list(source_ids)})
    return {row.id: row.at for row in rows if row.at is not None}


async def sums_of(tx: ReadTx, source_ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """Deliveries, events and refused events of the last day, by source; sources without any are absent."""
    rows = await tx.execute(_SUMS, {"ids": list(source_ids), "hours": DAY_HOURS})
    return {
        row.source_id: {"deliveries": int(row.deliveries), "events": int(row.events), "refused": int(row.refused)}
        for row in rows
    }


async def hours_of(tx: ReadTx, source_id: UUID) -> list[dict[str, Any]]:
    """The hours of the last day in which something was handled, oldest first."""
    rows = await tx.execute(_HOURS, {"id": source_id, "hours": DAY_HOURS})
    return [
        {"hour": row.hour, "deliveries": int(row.deliveries), "events": int(row.events), "refused": int(row.refused)}
        for row in rows
    ]


async def refusals_of(tx: ReadTx, source_id: UUID) -> list[dict[str, Any]]:
    """Why events were not taken lately, the most frequent reason first, each with its newest samples."""
    rows = await tx.execute(
        _REFUSALS, {"id": source_id, "days": REFUSALS_DAYS, "most": REFUSALS_READ_MAX, "samples": SAMPLES_MAX}
    )
    reasons: dict[str, dict[str, Any]] = {}
    for row in rows:
        said = reasons.setdefault(
            row.reason, {"reason": row.reason, "refused": int(row.of_reason), "last_at": row.refused_at, "samples": []}
        )
        said["samples"].append(
            {"index": row.index, "detail": row.detail, "event_id": row.event_id, "refused_at": row.refused_at}
        )
    return list(reasons.values())


async def parked_of(tx: ReadTx, source_id: UUID) -> list[dict[str, Any]]:
    """The open parked deliveries of a source by reason."""
    rows = await tx.execute(_PARKED, {"source": str(source_id)})
    return [dict(row) for row in rows.mappings()]


async def open_parked(tx: ReadTx) -> dict[str, int]:
    """How many deliveries of each source are parked, by the source's id as text."""
    rows = await tx.execute("select source, count(*) as open from parked where state = 'open' group by source")
    return {row.source: int(row.open) for row in rows}
