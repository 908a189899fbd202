"""Rows of disputes: ground, evidence as it was then, rulings of both teams."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text

from services.feedback.domain.disputes import Ruling, Verdict
from services.feedback.store.loop import read_json
from shared.db.engine import ReadTx, Tx

_RULINGS = TypeAdapter(tuple[Ruling, ...])
_LOCK = text("select * from dispute where dispute_id = :dispute_id for update")
_OF_PEOPLE = text("select * from dispute where lead_id = any(cast(:ids as uuid[])) order by opened_at, dispute_id")
_ALL = text("select * from dispute order by opened_at desc, dispute_id limit :most")
_SAVE = text(
    """
    insert into dispute (dispute_id, handoff_id, lead_id, rep_id, ground, evidence, opened_at, rulings, ruling,
                         is_credited, ruled_at)
    values (:dispute_id, :handoff_id, :lead_id, :rep_id, :ground, cast(:evidence as jsonb), :opened_at,
            cast(:rulings as jsonb), :ruling, :is_credited, :ruled_at)
    on conflict (dispute_id) do update
       set rulings = excluded.rulings, ruling = excluded.ruling, is_credited = excluded.is_credited,
           ruled_at = excluded.ruled_at
    """
)


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """One dispute; `ruling` is none while it is open."""

    dispute_id: UUID
    handoff_id: UUID
    lead_id: UUID
    rep_id: UUID
    ground: str
    evidence: Mapping[str, Any]
    opened_at: datetime
    rulings: tuple[Ruling, ...] = ()
    ruling: Verdict | None = None
    is_credited: bool = False
    ruled_at: datetime | None = None


async def save_dispute(tx: Tx, row: DisputeRow) -> None:
    """Store a dispute as it is now; its evidence never changes."""
    values = {name: getattr(row, name) for name in DisputeRow.__slots__} | {
        "evidence": json.dumps(dict(row.evidence)),
        "rulings": _RULINGS.dump_json(row.rulings).decode(),
    }
    await tx.execute(_SAVE, values)


async def lock_dispute(tx: Tx, dispute_id: UUID) -> DisputeRow | None:
    """One dispute, its row locked."""
    row = (await tx.execute(_LOCK, {"dispute_id": dispute_id})).first()
    return None if row is None else _dispute(row)


async def disputes(tx: ReadTx, *, most: int) -> list[DisputeRow]:
    """Disputes, newest first."""
    return [_dispute(row) for row in await tx.execute(_ALL, {"most": most})]


async def disputes_of(tx: ReadTx, lead_ids: Sequence[UUID]) -> list[DisputeRow]:
    """All disputes about these leads, oldest first."""
    return [_dispute(row) for row in await tx.execute(_OF_PEOPLE, {"ids": list(lead_ids)})]


def _dispute(row: Any) -> DisputeRow:  # noqa: ANN401 - a row of SQLAlchemy
    values = {name: getattr(row, name) for name in DisputeRow.__slots__} | {
        "evidence": read_json(row.evidence),
        "rulings": _RULINGS.validate_python(read_json(row.rulings)),
    }
    return DisputeRow(**values)
