"""Parked deliveries as a person looks at them: groups by source and reason, and the next open ones of a selection.

The table is the runtime's, one row per event set aside. Here is only what ingest asks of it beyond the runtime's list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.db.engine import ReadTx
from shared.db.outbox_rows import headers_from_text

__all__ = ["Selection", "StoredDelivery", "count_open", "count_settled", "next_open", "open_groups", "samples_of"]

GROUPS_MAX: Final = 200
SAMPLES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Selection:
    """Which open parked deliveries are meant; None leaves a part open, until_at closes it for what comes later."""

    until_at: datetime
    source: str | None = None
    reason: str | None = None
    since_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """One parked delivery: its id and place in time, and the record as it was fetched."""

    parked_id: UUID
    parked_at: datetime
    headers: tuple[tuple[str, bytes], ...]
    payload: bytes


_WHERE: Final = """
    consumer = 'ingest' and state = 'open' and parked_at <= :until_at
    and (cast(:source as text) is null or source = :source)
    and (cast(:reason as text) is null or reason = :reason)
    and (cast(:since_at as timestamptz) is null or parked_at >= :since_at)
"""
_GROUPS: Final = """
    select source, reason, count(*) as open, min(parked_at) as first_at, max(parked_at) as last_at,
           min(detail) as detail
      from parked where consumer = 'ingest' and state = 'open'
     group by source, reason order by 3 desc, source, reason limit :most
"""
_SAMPLES: Final = """
    select id, parked_at, headers, payload from parked
     where consumer = 'ingest' and state = 'open' and source = :source
       and (cast(:reason as text) is null or reason = :reason)
     order by parked_at desc, id limit :most
"""


async def open_groups(tx: ReadTx) -> list[dict[str, Any]]:
    """Open parked deliveries by source and reason, the largest group first, at most GROUPS_MAX groups."""
    rows = await tx.execute(_GROUPS, {"most": GROUPS_MAX})
    return [dict(row) for row in rows.mappings()]


async def samples_of(
    tx: ReadTx, source: str, *, reason: str | None = None, most: int = SAMPLES_MAX
) -> list[StoredDelivery]:
    """The newest open deliveries of a source, of one reason or of all."""
    rows = await tx.execute(_SAMPLES, {"source": source, "reason": reason, "most": most})
    return [_stored(row) for row in rows]


async def count_open(tx: ReadTx, chosen: Selection) -> int:
    """How many open deliveries a selection has now."""
    counted = await tx.execute(f"select count(*) from parked where {_WHERE}", _bound(chosen))  # noqa: S608 - ours
    return int(counted.scalar_one())


async def next_open(
    tx: ReadTx, chosen: Selection, *, after: tuple[datetime, UUID] | None, most: int
) -> Sequence[tuple[UUID, datetime]]:
    """The next open deliveries of a selection behind a place, in the order they were parked."""
    behind = "" if after is None else "and (parked_at, id) > (:after_at, :after_id)"
    at, parked_id = after or (None, None)
    more = {} if after is None else {"after_at": at, "after_id": parked_id}
    rows = await tx.execute(
        f"select id, parked_at from parked where {_WHERE} {behind} order by parked_at, id limit :most",  # noqa: S608
        {**_bound(chosen), **more, "most": most},
    )
    return [(row.id, row.parked_at) for row in rows]


async def count_settled(tx: ReadTx, by: str) -> int:
    """How many parked events somebody settled."""
    counted = await tx.execute("select count(*) from parked where settled_by = :by", {"by": by})
    return int(counted.scalar_one())


def _bound(chosen: Selection) -> dict[str, object]:
    return {
        "until_at": chosen.until_at,
        "source": chosen.source,
        "reason": chosen.reason,
        "since_at": chosen.since_at,
    }


def _stored(row: Any) -> StoredDelivery:  # noqa: ANN401 - a row of the driver
    return StoredDelivery(row.id, row.parked_at, tuple(headers_from_text(row.headers)), bytes(row.payload))
