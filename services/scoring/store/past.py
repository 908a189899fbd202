"""What a decision is dated and explained by: the newest activities of its members and all their records, in one go."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Uuid, bindparam, text

from services.scoring.domain.decay import micros
from services.scoring.domain.facts import Activity
from services.scoring.domain.happened import Happened
from services.scoring.store.encoding import record_from
from services.scoring.store.history import activity_from
from shared.db.engine import ReadTx
from shared.ids import LeadId

__all__ = ["ACTIVITIES_MOST", "PastRead", "read_past"]

ACTIVITIES_MOST = 100  # of a member; older ones are in its sums alone
# A record's row has no activity: its moment stands where an activity's has its own.
_PAST = text(
    """
    select a.activity_id, a.lead_id, a.kind, a.content, a.is_hard, a.verified_by, a.occurred_at, a.recorded_at,
           coalesce(c.human, a.human) as human, c.recorded_at as judged_at
      from unnest(:ids) as wanted (lead_id)
     cross join lateral (
           select * from activity where lead_id = wanted.lead_id
            order by recorded_at desc, activity_id desc limit :most) a
      left join lateral (
           select human, recorded_at from correction
            where activity_id = a.activity_id order by recorded_at desc, event_id desc limit 1) c on true
    union all
    select null, lead_id, kind, content, null, null, least(occurred_at, recorded_at), null, null, null
      from lead_record where lead_id = any(:ids) and kind <> 'identity'
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


class PastRead(NamedTuple):
    """By member, the newest activities as judged now (none: empty); every record with when it happened."""

    activities: dict[LeadId, list[Activity]]
    records: list[Happened]


async def read_past(tx: ReadTx, lead_ids: Collection[LeadId]) -> PastRead:
    """The past of these members. What a record says happened is never after we learned of it."""
    found = PastRead({lead_id: [] for lead_id in lead_ids}, [])
    rows: Sequence[Any] = (await tx.execute(_PAST, {"ids": sorted(lead_ids), "most": ACTIVITIES_MOST})).all()
    for row in rows:
        if row.activity_id is None:
            record = record_from(row.kind, row.content)
            found.records.append(Happened(row.lead_id, record, micros(row.occurred_at)))
        else:
            found.activities[row.lead_id].append(activity_from(row))
    return found
