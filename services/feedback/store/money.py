"""Rows of money: credits of deals and which are due again, imported spend, and the files that were imported."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.feedback.domain.attribution import Credit
from services.feedback.store.loop import read_json
from shared.db.engine import ReadTx, Tx

_listeners: list[Callable[[], None]] = []

_DROP_CREDITS = text("delete from credit where opportunity_id = :opportunity_id")
_ADD_CREDIT = text(
    """
    insert into credit (opportunity_id, model, position, activity_id, lead_id, touched_at, traffic_source, medium,
                        campaign, asset, amount_minor)
    values (:opportunity_id, :model, :position, :activity_id, :lead_id, :touched_at, :traffic_source, :medium,
            :campaign, :asset, :amount_minor)
    """
)
_CREDITS = text(
    "select * from credit where opportunity_id = any(cast(:ids as uuid[])) order by opportunity_id, model, position"
)
_CREDIT_DUE = text(
    """
    insert into credit_due (opportunity_id)
    select distinct o.opportunity_id from opportunity o join lead m on m.lead_id = o.lead_id
      join lead l on l.root_id = m.root_id
     where l.lead_id = any(cast(:ids as uuid[])) and o.opened_at >= :since
    """
)
_TAKE_CREDIT_DUE = text(
    """
    delete from credit_due where id in (select id from credit_due order by id limit :most for update skip locked)
    returning opportunity_id
    """
)
_ADD_SPEND = text(
    """
    insert into spend (spend_id, since_on, until_on, traffic_source, campaign, amount_minor, currency, recorded_at)
    values (:spend_id, :since_on, :until_on, :traffic_source, :campaign, :amount_minor, :currency, :recorded_at)
    on conflict (spend_id) do nothing
    """
)
_SPEND = text(
    """
    select since_on, until_on, traffic_source, campaign, amount_minor, currency from spend
     where since_on < :until_on and until_on >= :since_on order by since_on, spend_id
    """
)
_FILE = text("select answer from import_file where sha256 = :sha256")
_ADD_FILE = text(
    """
    insert into import_file (sha256, kind, recorded_at, answer)
    values (:sha256, :kind, :recorded_at, cast(:answer as jsonb))
    on conflict (sha256) do nothing
    """
)


@dataclass(frozen=True, slots=True)
class SpendRow:
    """Money spent on a source or campaign over whole days, both ends included."""

    since_on: date
    until_on: date
    traffic_source: str
    campaign: str
    amount_minor: int
    currency: str


async def replace_credits(tx: Tx, opportunity_id: UUID, credits_by_model: Mapping[str, Sequence[Credit]]) -> None:
    """Store the credits of a deal anew, all models."""
    await tx.execute(_DROP_CREDITS, {"opportunity_id": opportunity_id})
    rows = [
        {
            "opportunity_id": opportunity_id,
            "model": model,
            "position": position,
            "activity_id": credit.touchpoint.activity_id if credit.touchpoint else None,
            "lead_id": credit.touchpoint.lead_id if credit.touchpoint else None,
            "touched_at": credit.touchpoint.occurred_at if credit.touchpoint else None,
            "traffic_source": credit.touchpoint.traffic_source if credit.touchpoint else "",
            "medium": credit.touchpoint.medium if credit.touchpoint else "",
            "campaign": credit.touchpoint.campaign if credit.touchpoint else "",
            "asset": credit.touchpoint.asset if credit.touchpoint else "",
            "amount_minor": credit.amount_minor,
        }
        for model, credited in credits_by_model.items()
        for position, credit in enumerate(credited)
    ]
    if rows:
        await tx.execute(_ADD_CREDIT, rows)


async def credits_for(tx: ReadTx, opportunity_ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """Stored credits of these deals as plain rows, in order of deal, model and position."""
    rows = await tx.execute(_CREDITS, {"ids": list(opportunity_ids)})
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's own name for a row as a mapping


async def note_credit_due(tx: Tx, lead_ids: Iterable[UUID], *, since: datetime) -> None:
    """Deals of these people that opened at or after `since` are credited again soon."""
    noted = await tx.execute(_CREDIT_DUE, {"ids": list(lead_ids), "since": since})
    if noted.rowcount:
        tx.after_commit.extend(_listeners)


def when_credit_due(wake: Callable[[], None]) -> None:
    """Call this after every commit of this process that noted a deal: its credits need not wait for the next look."""
    if wake not in _listeners:
        _listeners.append(wake)


async def take_credit_due(tx: Tx, *, most: int) -> list[UUID]:
    """Deals to credit again; they are taken off the list with this transaction."""
    return sorted({row.opportunity_id for row in await tx.execute(_TAKE_CREDIT_DUE, {"most": most})})


async def add_spend(tx: Tx, spend_id: UUID, row: SpendRow) -> bool:
    """Store one imported line; False when it is known."""
    values = {name: getattr(row, name) for name in SpendRow.__slots__}
    added = await tx.execute(_ADD_SPEND, values | {"spend_id": spend_id, "recorded_at": tx.now})
    return bool(added.rowcount)


async def spend_between(tx: ReadTx, since: date, until: date) -> list[SpendRow]:
    """Spend lines that overlap [since, until)."""
    rows = await tx.execute(_SPEND, {"since_on": since, "until_on": until})
    return [SpendRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's own name for a row as a mapping


async def file_answer(tx: ReadTx, sha256: str) -> dict[str, Any] | None:
    """What an earlier import of the same file answered."""
    answer = (await tx.execute(_FILE, {"sha256": sha256})).scalar()
    return None if answer is None else dict(read_json(answer))


async def add_file(tx: Tx, sha256: str, kind: str, answer: Mapping[str, Any]) -> None:
    """Remember an imported file and its answer."""
    await tx.execute(
        _ADD_FILE, {"sha256": sha256, "kind": kind, "recorded_at": tx.now, "answer": json.dumps(dict(answer))}
    )
