"""Rows of fitted models: published, approved, promoted in which generation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.feedback.domain.gate import GateLine
from services.feedback.store.loop import read_json
from shared.db.engine import ReadTx, Tx

_ADD = text(
    """
    insert into model (model_id, family, slot, agreement_version, trained_as_of, window_from, rows_sha256, wins, losses,
                       open, open_weight, rho, card, metrics, gate, is_passed, published_at)
    values (:model_id, :family, :slot, :agreement_version, :trained_as_of, :window_from, :rows_sha256, :wins, :losses,
            :open, :open_weight, :rho, :card, cast(:metrics as jsonb), cast(:gate as jsonb), :is_passed, :published_at)
    on conflict (model_id) do nothing
    returning model_id
    """
)
_ALL = text("select * from model order by published_at desc, model_id desc limit :most")
_ONE = text("select * from model where model_id = :model_id")
_LOCK = text("select * from model where model_id = :model_id for update")
_NEWEST_OF = text("select * from model where slot = :slot and family = :family order by trained_as_of desc limit 1")
_APPROVE = text(
    """
    insert into approval (model_id, team, user_id, approved_at) values (:model_id, :team, :user_id, :approved_at)
    """
)
_APPROVALS = text("select team, user_id, approved_at from approval where model_id = :model_id order by team")
_MAKE_SLOT = text("insert into active (slot, generation) values (:slot, 0) on conflict (slot) do nothing")
_ACTIVE = text("select model_id, generation from active where slot = :slot")
_LOCK_ACTIVE = text("select model_id, generation from active where slot = :slot for update")
# Compare-and-set: whoever saw an older generation changes nothing (RELIABILITY 3.10).
_PROMOTE = text(
    """
    update active set model_id = :model_id, generation = :generation where slot = :slot and generation = :seen
    returning generation
    """
)
_ADD_PROMOTION = text(
    """
    insert into promotion (slot, generation, model_id, is_roll_back, p_threshold, by_user_ids, reason, promoted_at)
    values (:slot, :generation, :model_id, :is_roll_back, :p_threshold, cast(:by_user_ids as jsonb), :reason,
            :promoted_at)
    """
)
_PROMOTIONS = text("select * from promotion where slot = :slot order by generation desc")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One published model with its card and gate sheet."""

    model_id: UUID
    family: str
    slot: str
    agreement_version: int
    trained_as_of: datetime
    window_from: datetime
    rows_sha256: str
    wins: int
    losses: int
    open: int
    open_weight: float
    rho: float
    card: str
    metrics: Mapping[str, float]
    gate: tuple[GateLine, ...]
    is_passed: bool
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """One team's consent to a promotion."""

    team: str
    user_id: UUID
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class Promotion:
    """One activation of a slot, forwards or back; no model means that the signed points decide alone."""

    slot: str
    generation: int
    model_id: UUID | None
    is_roll_back: bool
    p_threshold: float
    by_user_ids: tuple[UUID, ...]
    reason: str
    promoted_at: datetime


async def add_model(tx: Tx, row: ModelRow) -> bool:
    """Store a model; False when the same fit was published already."""
    values = {name: getattr(row, name) for name in ModelRow.__slots__} | {
        "metrics": json.dumps(dict(row.metrics)),
        "gate": json.dumps([[line.test, line.is_passed, line.detail] for line in row.gate]),
    }
    return (await tx.execute(_ADD, values)).first() is not None


async def models(tx: ReadTx, *, most: int) -> list[ModelRow]:
    """Published models, newest first."""
    return [_model(row) for row in await tx.execute(_ALL, {"most": most})]


async def model_of(tx: ReadTx, model_id: UUID) -> ModelRow | None:
    """One model."""
    row = (await tx.execute(_ONE, {"model_id": model_id})).first()
    return None if row is None else _model(row)


async def newest_of(tx: ReadTx, *, slot: str, family: str) -> ModelRow | None:
    """The model of a family trained last."""
    row = (await tx.execute(_NEWEST_OF, {"slot": slot, "family": family})).first()
    return None if row is None else _model(row)


async def lock_model(tx: Tx, model_id: UUID) -> ModelRow | None:
    """One model, its row locked: approvals of one model come one after the other."""
    row = (await tx.execute(_LOCK, {"model_id": model_id})).first()
    return None if row is None else _model(row)


async def add_approval(tx: Tx, model_id: UUID, approval: Approval) -> None:
    """Store one team's consent; the caller has checked under the model's lock that it may."""
    await tx.execute(
        _APPROVE,
        {
            "model_id": model_id,
            "team": approval.team,
            "user_id": approval.user_id,
            "approved_at": approval.approved_at,
        },
    )


async def approvals_of(tx: ReadTx, model_id: UUID) -> list[Approval]:
    """Who consented."""
    rows = await tx.execute(_APPROVALS, {"model_id": model_id})
    return [Approval(team=row.team, user_id=row.user_id, approved_at=row.approved_at) for row in rows]


async def active_model(tx: ReadTx, slot: str) -> tuple[UUID | None, int]:
    """The promoted model of a slot and the generation; none and 0 before the first promotion."""
    row = (await tx.execute(_ACTIVE, {"slot": slot})).first()
    return (None, 0) if row is None else (row.model_id, row.generation)


async def lock_active_model(tx: Tx, slot: str) -> tuple[UUID | None, int]:
    """The promoted model of a slot and the generation, the row locked."""
    await tx.execute(_MAKE_SLOT, {"slot": slot})
    row = (await tx.execute(_LOCK_ACTIVE, {"slot": slot})).one()
    return row.model_id, row.generation


async def promote(tx: Tx, promotion: Promotion, *, seen: int) -> bool:
    """Set the slot to a model if its generation is still the one seen, and keep the line; False changes nothing."""
    switched = await tx.execute(
        _PROMOTE,
        {
            "slot": promotion.slot,
            "model_id": promotion.model_id,
            "generation": promotion.generation,
            "seen": seen,
        },
    )
    if switched.first() is None:
        return False
    values = {name: getattr(promotion, name) for name in Promotion.__slots__}
    await tx.execute(
        _ADD_PROMOTION, values | {"by_user_ids": json.dumps([str(each) for each in promotion.by_user_ids])}
    )
    return True


async def promotions(tx: ReadTx, slot: str) -> list[Promotion]:
    """Every activation of a slot, newest first."""
    return [
        Promotion(
            **{name: getattr(row, name) for name in Promotion.__slots__}
            | {"by_user_ids": tuple(UUID(each) for each in read_json(row.by_user_ids))}
        )
        for row in await tx.execute(_PROMOTIONS, {"slot": slot})
    ]


def _model(row: Any) -> ModelRow:  # noqa: ANN401 - a row of SQLAlchemy
    lines = tuple(
        GateLine(test=test, is_passed=is_passed, detail=detail) for test, is_passed, detail in read_json(row.gate)
    )
    values = {name: getattr(row, name) for name in ModelRow.__slots__}
    return ModelRow(**values | {"metrics": read_json(row.metrics), "gate": lines})
