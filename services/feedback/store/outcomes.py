"""Rows of what became of handoffs.

Outcomes (append-only), CRM opportunities, their credits, spend and imported files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.feedback.domain.labels import Ending
from shared.db.engine import ReadTx, Tx

_ADD = text(
    """
    insert into outcome (outcome_id, lead_id, handoff_id, what, reason_code, amount_minor, currency, occurred_at,
                         recorded_at, source, object, object_version, supersedes, is_conflict, tags)
    values (:outcome_id, :lead_id, :handoff_id, :what, :reason_code, :amount_minor, :currency, :occurred_at,
            :recorded_at, :source, :object, :object_version, :supersedes, :is_conflict, cast(:tags as text[]))
    on conflict (outcome_id) do nothing
    returning outcome_id
    """
)
_BY_ID = text("select * from outcome where outcome_id = :outcome_id")
_CURRENT_OF_HANDOFF = text(
    "select * from current_outcome where handoff_id = :handoff_id order by recorded_at, outcome_id"
)
_OF_LEADS = text("select * from outcome where lead_id = any(cast(:ids as uuid[])) order by recorded_at, outcome_id")
_LEARNED = text(
    """
    select * from outcome
     where recorded_at >= :since and (recorded_at, outcome_id) > (:after_at, :after_id)
     order by recorded_at, outcome_id limit :most
    """
)
# Openings come along although they end nothing: one that supersedes a win takes the win back.
_ENDINGS = text(
    """
    select outcome_id, handoff_id, occurred_at, recorded_at, supersedes, what = 'won' as is_win,
           what in ('won', 'lost', 'disqualified') or (what = 'rejected' and 'unfit' = any(tags)) as is_ending
      from outcome where handoff_id is not null and recorded_at <= :as_of
    """
)
# A deal that is reported for the first time has no row to lock: two first reports wait for each other here.
_LOCK_DEAL = text("select pg_advisory_xact_lock(hashtextextended(:system || chr(31) || :external_id, 0))")
_LOCK_OPPORTUNITY = text("select * from opportunity where system = :system and external_id = :external_id for update")
_OPPORTUNITY = text("select * from opportunity where system = :system and external_id = :external_id")
_OPPORTUNITY_BY_ID = text("select * from opportunity where opportunity_id = :opportunity_id")
_LOCK_OPPORTUNITY_BY_ID = text("select * from opportunity where opportunity_id = :opportunity_id for update")
_SAVE_OPPORTUNITY = text(
    """
    insert into opportunity (opportunity_id, system, external_id, lead_id, account_id, handoff_id, crm_status, result,
                             reason_code, amount_minor, currency, opened_at, occurred_at, recorded_at, object_version,
                             body_sha256, outcome_id)
    values (:opportunity_id, :system, :external_id, :lead_id, :account_id, :handoff_id, :crm_status, :result,
            :reason_code, :amount_minor, :currency, :opened_at, :occurred_at, :recorded_at, :object_version,
            :body_sha256, :outcome_id)
    on conflict (opportunity_id) do update
       set lead_id = excluded.lead_id, account_id = excluded.account_id, handoff_id = excluded.handoff_id,
           crm_status = excluded.crm_status, result = excluded.result, reason_code = excluded.reason_code,
           amount_minor = excluded.amount_minor, currency = excluded.currency, opened_at = excluded.opened_at,
           occurred_at = excluded.occurred_at, recorded_at = excluded.recorded_at,
           object_version = excluded.object_version, body_sha256 = excluded.body_sha256,
           outcome_id = excluded.outcome_id
    """
)
_OPPORTUNITIES = text(
    """
    select o.*, l.root_id from opportunity o left join lead l on l.lead_id = o.lead_id
     where o.opened_at < :until order by o.opened_at, o.opportunity_id
    """
)


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One recorded outcome; a correction is another row that supersedes it."""

    outcome_id: UUID
    lead_id: UUID
    handoff_id: UUID | None
    what: str
    reason_code: str
    occurred_at: datetime
    recorded_at: datetime
    source: str
    amount_minor: int | None = None
    currency: str | None = None
    object: str | None = None
    object_version: int | None = None
    supersedes: UUID | None = None
    is_conflict: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpportunityRow:
    """A CRM deal as last reported; `outcome_id` is the current outcome it stands for."""

    opportunity_id: UUID
    system: str
    external_id: str
    lead_id: UUID
    account_id: UUID | None
    handoff_id: UUID | None
    crm_status: str
    result: str
    reason_code: str
    amount_minor: int | None
    currency: str | None
    opened_at: datetime
    occurred_at: datetime
    recorded_at: datetime
    object_version: int
    body_sha256: str
    outcome_id: UUID


async def add_outcome(tx: Tx, row: OutcomeRow) -> bool:
    """Append one outcome; False when its id is there already."""
    values = {name: getattr(row, name) for name in OutcomeRow.__slots__} | {"tags": list(row.tags)}
    return (await tx.execute(_ADD, values)).first() is not None


async def outcome_by_id(tx: ReadTx, outcome_id: UUID) -> OutcomeRow | None:
    """One outcome, current or superseded."""
    row = (await tx.execute(_BY_ID, {"outcome_id": outcome_id})).first()
    return None if row is None else _outcome(row)


async def current_of_handoff(tx: ReadTx, handoff_id: UUID) -> list[OutcomeRow]:
    """What stands of one handoff."""
    return [_outcome(row) for row in await tx.execute(_CURRENT_OF_HANDOFF, {"handoff_id": handoff_id})]


async def outcomes_of(tx: ReadTx, lead_ids: Iterable[UUID]) -> list[OutcomeRow]:
    """Everything ever recorded of these leads, superseded ones too, as learned."""
    return [_outcome(row) for row in await tx.execute(_OF_LEADS, {"ids": list(lead_ids)})]


async def learned_since(tx: ReadTx, since: datetime, *, after: tuple[datetime, UUID], most: int) -> list[OutcomeRow]:
    """Outcomes learned at or after `since`, behind `after`, in order of when they were learned, then of id."""
    rows = await tx.execute(_LEARNED, {"since": since, "after_at": after[0], "after_id": after[1], "most": most})
    return [_outcome(row) for row in rows]


async def endings_as_of(tx: ReadTx, as_of: datetime) -> list[Ending]:
    """Recorded ends of handoffs by then; an outcome that only reopens one stands in the list as no end at all."""
    rows = await tx.execute(_ENDINGS, {"as_of": as_of})
    return [
        Ending(
            outcome_id=row.outcome_id,
            handoff_id=row.handoff_id,
            verdict="win" if row.is_win else "loss" if row.is_ending else "none",
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
            supersedes=row.supersedes,
        )
        for row in rows
    ]


async def opportunity_of(tx: ReadTx, system: str, external_id: str) -> OpportunityRow | None:
    """A deal by its id in its CRM."""
    row = (await tx.execute(_OPPORTUNITY, {"system": system, "external_id": external_id})).first()
    return None if row is None else _opportunity(row)


async def opportunity_by_id(tx: ReadTx, opportunity_id: UUID) -> OpportunityRow | None:
    """A deal by our id."""
    row = (await tx.execute(_OPPORTUNITY_BY_ID, {"opportunity_id": opportunity_id})).first()
    return None if row is None else _opportunity(row)


async def lock_opportunity(tx: Tx, system: str, external_id: str) -> OpportunityRow | None:
    """A deal by its id in its CRM, locked, whether it has a row yet or not."""
    await tx.execute(_LOCK_DEAL, {"system": system, "external_id": external_id})
    row = (await tx.execute(_LOCK_OPPORTUNITY, {"system": system, "external_id": external_id})).first()
    return None if row is None else _opportunity(row)


async def lock_opportunity_by_id(tx: Tx, opportunity_id: UUID) -> OpportunityRow | None:
    """A deal by our id, its row locked."""
    row = (await tx.execute(_LOCK_OPPORTUNITY_BY_ID, {"opportunity_id": opportunity_id})).first()
    return None if row is None else _opportunity(row)


async def save_opportunity(tx: Tx, row: OpportunityRow) -> None:
    """Store a deal as last reported."""
    await tx.execute(_SAVE_OPPORTUNITY, {name: getattr(row, name) for name in OpportunityRow.__slots__})


async def opportunities_until(tx: ReadTx, until: datetime) -> list[tuple[OpportunityRow, UUID]]:
    """Deals opened before a moment with the root of their person's tree, in order of opening."""
    rows = await tx.execute(_OPPORTUNITIES, {"until": until})
    return [(_opportunity(row), row.root_id or row.lead_id) for row in rows]


def _outcome(row: Any) -> OutcomeRow:  # noqa: ANN401 - a row of SQLAlchemy
    return OutcomeRow(**{name: getattr(row, name) for name in OutcomeRow.__slots__} | {"tags": tuple(row.tags)})


def _opportunity(row: Any) -> OpportunityRow:  # noqa: ANN401 - a row of SQLAlchemy
    return OpportunityRow(**{name: getattr(row, name) for name in OpportunityRow.__slots__})
