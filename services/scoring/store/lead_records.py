"""What members are folded from beside activities: records by version, and moves in the identity trees.

Appended only; a version that is there stays as it is. Read again as of any moment.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Text, Uuid, bindparam, text

from services.scoring.domain.decay import micros, moment
from services.scoring.domain.happened import Happened
from services.scoring.domain.member import Record
from services.scoring.store.encoding import record_from, record_key, record_text
from shared.db.engine import ReadTx
from shared.ids import LeadId

__all__ = [
    "ADDED_RECORDS",
    "RECORD_COLUMNS",
    "Move",
    "joined_since",
    "newest_moves",
    "record_columns",
    "records_of",
]


@dataclass(frozen=True, slots=True)
class Move:
    """A lead's pointer in its identity tree: its parent, or None when it stands alone; version is the identity's.

    at_us: when it moved, recorded_us: when we learned of it.
    """

    lead_id: LeadId
    parent_id: LeadId | None
    version: int
    recorded_us: int
    at_us: int


ADDED_RECORDS = """
    insert into lead_record (lead_id, kind, name, version, recorded_at, content, occurred_at)
    select * from unnest(:record_leads, :record_kinds, :names, :versions, :learned, :record_contents, :happened)
    on conflict do nothing
"""
RECORD_COLUMNS = (
    bindparam("record_leads", type_=ARRAY(Uuid)),
    bindparam("record_kinds", type_=ARRAY(Text)),
    bindparam("names", type_=ARRAY(Text)),
    bindparam("versions", type_=ARRAY(BigInteger)),
    bindparam("learned", type_=ARRAY(DateTime(timezone=True))),
    bindparam("record_contents", type_=ARRAY(Text)),
    bindparam("happened", type_=ARRAY(DateTime(timezone=True))),
)
_ids = bindparam("ids", type_=ARRAY(Uuid))
_RECORDS = text(
    """
    select lead_id, kind, content from lead_record
     where lead_id = any(:ids) and kind <> 'identity' and recorded_at <= :as_of order by lead_id, kind, name, version
    """
).bindparams(_ids)
_MOVES = text(
    """
    select distinct on (lead_id) lead_id, name, version, recorded_at from lead_record
     where kind = 'identity' and recorded_at <= :as_of
       and (lead_id = any(:ids) or lead_id in (
            select lead_id from lead_record where kind = 'identity' and name = any(:names)))
     order by lead_id, version desc
    """
).bindparams(_ids, bindparam("names", type_=ARRAY(Text)))
_JOINED = text(
    """
    select distinct on (lead_id) lead_id, least(occurred_at, recorded_at) as at from lead_record
     where kind = 'identity' and lead_id = any(:ids) order by lead_id, version desc
    """
).bindparams(_ids)


def record_columns(records: Sequence[Happened], moves: Sequence[Move]) -> dict[str, list[Any]]:
    """The parameters of ADDED_RECORDS: records and moves of leads, of which a version that is there stays as it is."""
    rows = [
        (lead_id, *record_key(record), record.version, record.known_us, record_text(record), at_us)
        for lead_id, record, at_us in records
    ]
    rows += [
        (each.lead_id, "identity", str(each.parent_id or ""), each.version, each.recorded_us, "", each.at_us)
        for each in moves
    ]
    return {
        "record_leads": [row[0] for row in rows],
        "record_kinds": [row[1] for row in rows],
        "names": [row[2] for row in rows],
        "versions": [row[3] for row in rows],
        "learned": [moment(row[4]) for row in rows],
        "record_contents": [row[5] for row in rows],
        "happened": [moment(row[6]) for row in rows],
    }


async def records_of(tx: ReadTx, lead_ids: Collection[LeadId], *, as_of: datetime) -> dict[LeadId, list[Record]]:
    """The records of these leads known until as_of."""
    found: dict[LeadId, list[Record]] = defaultdict(list)
    rows: Sequence[Any] = (await tx.execute(_RECORDS, {"ids": sorted(lead_ids), "as_of": as_of})).all()
    for row in rows:
        found[row.lead_id].append(record_from(row.kind, row.content))
    return found


async def joined_since(tx: ReadTx, lead_ids: Collection[LeadId]) -> dict[LeadId, int]:
    """When the newest move of each of these leads happened; who never moved is absent."""
    rows: Sequence[Any] = (await tx.execute(_JOINED, {"ids": sorted(lead_ids)})).all()
    return {row.lead_id: micros(row.at) for row in rows}


async def newest_moves(tx: ReadTx, lead_ids: Collection[LeadId], *, as_of: datetime) -> dict[LeadId, LeadId | None]:
    """The pointer as of a moment of each of these leads, and of every lead that ever pointed to one of them."""
    ids = sorted(lead_ids)
    asked = {"ids": ids, "names": [str(each) for each in ids], "as_of": as_of}
    rows: Sequence[Any] = (await tx.execute(_MOVES, asked)).all()
    return {row.lead_id: LeadId(UUID(row.name)) if row.name else None for row in rows}
