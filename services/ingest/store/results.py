"""What became of each delivery, and what was counted without a person: the ledger's side of ingest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from services.ingest.store.statements import Pending, change_by_columns
from shared.db.ledger import LedgerCheck

__all__ = ["LEDGER", "RefusalRow", "ResultRow", "new_refusals", "new_results", "newly_counted"]


@dataclass(slots=True)
class ResultRow:
    """One delivery: each of its events is in exactly one of the seven counts from activities to suppressed."""

    delivery_id: UUID
    source_id: UUID
    import_id: UUID | None
    verified_by: str
    received_at: datetime
    handled_at: datetime
    events: int = 0
    activities: int = 0
    operations: int = 0
    statuses: int = 0
    repeats: int = 0
    refused: int = 0
    counted: int = 0
    suppressed: int = 0
    ambiguous: int = 0
    ids_reused: int = 0
    leads_new: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """One event or record that was not taken, or not as it asked (consent_conflict, suppressed, tree_too_large)."""

    delivery_id: UUID
    index: int
    reason: str
    import_id: UUID | None
    source_id: UUID
    event_id: str | None
    detail: str
    refused_at: datetime


_OWN: Final = ("delivery_id", "received_at")
_SHAPE: Final = tuple(field.name for field in fields(ResultRow) if field.name not in _OWN)
_SHAPE_OF: Final = attrgetter(*_SHAPE)
_REFUSAL: Final = tuple(field.name for field in fields(RefusalRow))
_SHAPE_TYPES: Final[Mapping[str, str]] = {
    "source_id": "uuid", "import_id": "uuid", "verified_by": "text", "handled_at": "time",
}  # fmt: skip
_REFUSAL_TYPES: Final[Mapping[str, str]] = {
    "delivery_id": "uuid", "index": "int", "import_id": "uuid", "source_id": "uuid", "refused_at": "time",
}  # fmt: skip
# Most deliveries of a batch come to the same but for id and time: what they share is sent once (`shape` names it).
_RESULTS = change_by_columns(
    "results",
    f"""
    insert into delivery_result (delivery_id, received_at, {", ".join(_SHAPE)})
    select own.delivery_id, own.received_at, {", ".join(f"shared.{name}" for name in _SHAPE)}
      from unnest(:delivery_id, :received_at, :shape) as own (delivery_id, received_at, shape)
      join unnest(:number, {", ".join(f":{name}" for name in _SHAPE)}) as shared (number, {", ".join(_SHAPE)})
        on shared.number = own.shape
    on conflict do nothing
    """,  # noqa: S608 - our own names
    delivery_id="uuid",
    received_at="time",
    shape="int",
    number="int",
    **{name: _SHAPE_TYPES.get(name, "int") for name in _SHAPE},
)
_REFUSALS = change_by_columns(
    "refusals",
    f"""
    insert into delivery_refusal ({", ".join(_REFUSAL)})
    select * from unnest({", ".join(f":{name}" for name in _REFUSAL)}) on conflict do nothing
    """,  # noqa: S608 - our own names
    **{name: _REFUSAL_TYPES.get(name, "text") for name in _REFUSAL},
)
_COUNT = change_by_columns(
    "counted",
    """
    insert into counted_activity as c (day, source_id, kind, activities)
    select * from unnest(:days, :source_ids, :kinds, :counts) order by 1, 2, 3
    on conflict (day, source_id, kind) do update set activities = c.activities + excluded.activities
    """,
    days="date",
    source_ids="uuid",
    kinds="text",
    counts="bigint",
)

LEDGER: Final[tuple[LedgerCheck, ...]] = (
    LedgerCheck(
        "deliveries",
        "each delivery in the inbox has a result or is parked",
        """
        select i.event_id::text from inbox i
         where i.consumer = 'ingest'
           and not exists (select from delivery_result r where r.delivery_id = i.event_id)
           and not exists (select from parked p where p.consumer = i.consumer and p.event_id = i.event_id)
        """,
    ),
    LedgerCheck(
        "deliveries",
        "each event of a delivery is an activity, operation, status, repeat, refusal, counted or suppressed",
        """
        select delivery_id::text from delivery_result
         where events <> activities + operations + statuses + repeats + refused + counted + suppressed
        """,
    ),
    LedgerCheck(
        "deliveries",
        "each handled import has a result for each of its records",
        """
        select j.id::text from import_job j
         where j.state = 'sent'
           and (select count(*) from delivery_result r where r.import_id = j.id) >= j.deliveries
           and (select coalesce(sum(r.events), 0) from delivery_result r where r.import_id = j.id) <> j.records
        """,
    ),
    LedgerCheck(
        "identities",
        "each key belongs to a lead that is not erased",
        """
        select k.lead_id::text from identity_key k left join lead l on l.id = k.lead_id
         where l.id is null or l.erased_at is not null
        """,
    ),
    LedgerCheck(
        "identities",
        "each lead stands under a root of its own tree",
        """
        select l.id::text from lead l join lead r on r.id = l.root_id
         where r.root_id <> r.id or (l.parent_id is not null and not exists (
               select from lead p where p.id = l.parent_id and p.root_id = l.root_id))
        """,
    ),
    LedgerCheck(
        "identities",
        "an erased lead keeps no name and no text",
        """
        select l.id::text from lead l
         where l.erased_at is not null
           and (exists (select from profile p where p.lead_id = l.id)
                or exists (select from activity_text t where t.lead_id = l.id))
        """,
    ),
)
"""Ingest's part of the conservation ledger: queries by id, none counts in the hot path (RELIABILITY 5)."""


def new_results(rows: Sequence[ResultRow]) -> Pending | None:
    """Write one row per delivery."""
    if not rows:
        return None
    shapes: dict[Any, int] = {}
    places = [shapes.setdefault(_SHAPE_OF(row), len(shapes)) for row in rows]
    shared = zip(_SHAPE, zip(*shapes, strict=True), strict=True)
    return _RESULTS, {
        "delivery_id": [row.delivery_id for row in rows],
        "received_at": [row.received_at for row in rows],
        "shape": places,
        "number": list(shapes.values()),
        **{name: list(values) for name, values in shared},
    }


def new_refusals(rows: Sequence[RefusalRow]) -> Pending | None:
    """Write one row per refused event."""
    return (_REFUSALS, {name: [getattr(row, name) for row in rows] for name in _REFUSAL}) if rows else None


def newly_counted(counted: Mapping[tuple[date, UUID, str], int]) -> Pending | None:
    """Add activities that are counted without a person."""
    if not counted:
        return None
    return _COUNT, {
        "days": [day for day, _, _ in counted],
        "source_ids": [source for _, source, _ in counted],
        "kinds": [kind for _, _, kind in counted],
        "counts": list(counted.values()),
    }
