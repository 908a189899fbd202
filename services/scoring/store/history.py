"""What sums are folded from: activities and corrections of their `human`; read again as of any moment.

Appended only, each by an id of its own, so that a repeat adds nothing. Kept 25 months.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, DateTime, Double, Integer, Text, Uuid, bindparam, text

from services.scoring.domain.decay import micros, moment
from services.scoring.domain.facts import HUMAN_LEAST, Activity, KindCount
from shared.contracts.activities import ActivityRecorded
from shared.db.engine import ReadTx, Tx
from shared.ids import ActivityId, LeadId

__all__ = [
    "ACTIVITY_COLUMNS",
    "ADDED_ACTIVITIES",
    "Correction",
    "activities_of",
    "activity_columns",
    "activity_from",
    "add_corrections",
    "counts_of",
    "drop_old_activities",
]

RETENTION_DAYS = 760  # 25 months
DROP_SLICE = 5_000

# A UUID's own comparison is Python code; by its integer the order is the same.
_ID_OF = attrgetter("activity_id.int")


@dataclass(frozen=True, slots=True)
class Correction:
    """A changed judgement whether a person did it."""

    activity_id: ActivityId
    event_id: UUID
    lead_id: LeadId
    human: float
    recorded_us: int


# Many activities of a batch are of one kind, content and proof: what they share is sent once (`shape` names it).
ADDED_ACTIVITIES = """
    insert into activity (activity_id, lead_id, occurred_at, recorded_at, kind, content, is_hard, verified_by, human)
    select own.activity_id, own.lead_id, own.occurred_at, own.recorded_at,
           shared.kind, shared.content, shared.is_hard, shared.verified_by, shared.human
      from unnest(:activity_ids, :lead_ids, :occurred, :recorded, :shapes)
           with ordinality as own (activity_id, lead_id, occurred_at, recorded_at, shape, ordinal)
      join unnest(:numbers, :kinds, :contents, :hard, :verified, :human)
           as shared (number, kind, content, is_hard, verified_by, human) on shared.number = own.shape
     order by own.ordinal
    on conflict do nothing
    returning activity_id
"""
ACTIVITY_COLUMNS = (
    bindparam("activity_ids", type_=ARRAY(Uuid)),
    bindparam("lead_ids", type_=ARRAY(Uuid)),
    bindparam("occurred", type_=ARRAY(DateTime(timezone=True))),
    bindparam("recorded", type_=ARRAY(DateTime(timezone=True))),
    bindparam("shapes", type_=ARRAY(Integer)),
    bindparam("numbers", type_=ARRAY(Integer)),
    bindparam("kinds", type_=ARRAY(Text)),
    bindparam("contents", type_=ARRAY(Text)),
    bindparam("hard", type_=ARRAY(Boolean)),
    bindparam("verified", type_=ARRAY(Text)),
    bindparam("human", type_=ARRAY(Double)),
)
_ADD_CORRECTIONS = text(
    """
    insert into correction (activity_id, event_id, lead_id, human, recorded_at)
    select * from unnest(:activity_ids, :event_ids, :lead_ids, :human, :recorded) on conflict do nothing
    """
).bindparams(
    bindparam("activity_ids", type_=ARRAY(Uuid)),
    bindparam("event_ids", type_=ARRAY(Uuid)),
    bindparam("lead_ids", type_=ARRAY(Uuid)),
    bindparam("human", type_=ARRAY(Double)),
    bindparam("recorded", type_=ARRAY(DateTime(timezone=True))),
)
_ids = bindparam("ids", type_=ARRAY(Uuid))
_ACTIVITIES = text(
    """
    select a.activity_id, a.lead_id, a.kind, a.content, a.is_hard, a.verified_by, a.occurred_at, a.recorded_at,
           coalesce(c.human, a.human) as human, c.recorded_at as judged_at
      from activity a
      left join lateral (
           select human, recorded_at from correction
            where activity_id = a.activity_id and recorded_at <= :as_of
            order by recorded_at desc, event_id desc limit 1) c on true
     where a.lead_id = any(:ids) and a.recorded_at <= :as_of
     order by a.lead_id, a.recorded_at, a.activity_id
    """
).bindparams(_ids)
_COUNTS = text(
    """
    select a.lead_id, a.kind, count(*) as times, count(*) filter (where coalesce(c.human, a.human) >= :least) as human,
           max(least(a.occurred_at, a.recorded_at)) filter (where coalesce(c.human, a.human) >= :least) as last_at,
           max(greatest(a.recorded_at, c.recorded_at)) as known_at
      from activity a
      left join lateral (
           select human, recorded_at from correction
            where activity_id = a.activity_id and recorded_at <= :as_of
            order by recorded_at desc, event_id desc limit 1) c on true
     where a.lead_id = any(:ids) and a.recorded_at <= :as_of
     group by a.lead_id, a.kind
    """
).bindparams(_ids)
_DROP = text(
    """
    with old as (
        select activity_id from activity where recorded_at < :before limit :most),
    gone as (delete from correction where activity_id in (select activity_id from old))
    delete from activity where activity_id in (select activity_id from old)
    """
)


def activity_columns(recorded: Sequence[ActivityRecorded]) -> dict[str, list[Any]]:
    """The parameters of ADDED_ACTIVITIES, at least one. In id order, so that two batches never wait for each other."""
    ordered = sorted(recorded, key=_ID_OF)
    shapes: dict[Any, int] = {}
    numbers = [
        shapes.setdefault((each.kind, each.content, each.is_hard, each.verified_by, each.human), len(shapes))
        for each in ordered
    ]
    kinds, contents, hard, verified, human = map(list, zip(*shapes, strict=True))
    return {
        "activity_ids": [each.activity_id for each in ordered],
        "lead_ids": [each.member_id for each in ordered],
        "occurred": [each.occurred_at for each in ordered],
        "recorded": [each.recorded_at for each in ordered],
        "shapes": numbers,
        "numbers": list(shapes.values()),
        "kinds": kinds,
        "contents": contents,
        "hard": hard,
        "verified": verified,
        "human": human,
    }


async def add_corrections(tx: Tx, corrections: Sequence[Correction]) -> None:
    """Append corrections; a repeat adds nothing."""
    if corrections:
        await tx.execute(
            _ADD_CORRECTIONS,
            {
                "activity_ids": [each.activity_id for each in corrections],
                "event_ids": [each.event_id for each in corrections],
                "lead_ids": [each.lead_id for each in corrections],
                "human": [each.human for each in corrections],
                "recorded": [moment(each.recorded_us) for each in corrections],
            },
        )


async def activities_of(tx: ReadTx, lead_ids: Collection[LeadId], *, as_of: datetime) -> dict[LeadId, list[Activity]]:
    """The activities of these members recorded until as_of, with `human` as judged then."""
    found: dict[LeadId, list[Activity]] = defaultdict(list)
    for row in (await tx.execute(_ACTIVITIES, {"ids": sorted(lead_ids), "as_of": as_of})).all():
        activity = activity_from(row)
        found[activity.member_id].append(activity)
    return found


async def counts_of(tx: ReadTx, lead_ids: Collection[LeadId], *, as_of: datetime) -> dict[LeadId, dict[str, KindCount]]:
    """How often each member did each kind until as_of: what `count_kinds` says of its activities, counted in SQL."""
    found: dict[LeadId, dict[str, KindCount]] = defaultdict(dict)
    asked = {"ids": sorted(lead_ids), "as_of": as_of, "least": HUMAN_LEAST}
    rows: Sequence[Any] = (await tx.execute(_COUNTS, asked)).all()
    for row in rows:
        last_us = 0 if row.last_at is None else micros(row.last_at)
        found[row.lead_id][row.kind] = KindCount(row.times, row.human, last_us, micros(row.known_at))
    return found


async def drop_old_activities(tx: Tx, *, before: datetime) -> int:
    """Delete one slice of activities older than the retention; returns how many."""
    return (await tx.execute(_DROP, {"before": before, "most": DROP_SLICE})).rowcount


def activity_from(row: Any) -> Activity:  # noqa: ANN401 - a row of the driver
    """The activity of a row, with `human` as judged."""
    return Activity(
        activity_id=row.activity_id,
        member_id=row.lead_id,
        kind=row.kind,
        content=row.content,
        is_hard=row.is_hard,
        verified_by=row.verified_by,
        occurred_us=micros(row.occurred_at),
        recorded_us=micros(row.recorded_at),
        human=row.human,
        judged_us=0 if row.judged_at is None else micros(row.judged_at),
    )
