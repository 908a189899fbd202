"""The terms in force: agreements and models as published, which of them is active by generation, since when.

An activation with a lower generation does nothing; an agreement switches not before its effective_from (RELIABILITY
3.10). Every switch is kept, so that a past moment is explained by the terms of then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.db.engine import ReadTx, Tx

__all__ = [
    "AGREEMENT_SLOT",
    "MODEL_SLOT",
    "Active",
    "InForce",
    "KeptModel",
    "activate",
    "active_at",
    "active_now",
    "document_of",
    "due_agreements",
    "end_rescan",
    "hold_terms",
    "in_force",
    "keep_agreement",
    "keep_model",
    "model_card",
    "move_rescan",
    "newest_models",
    "rescan_position",
    "start_rescan",
]

AGREEMENT_SLOT = "agreement"
MODEL_SLOT = "model:"  # and the slot that the model's events name
_RESCAN = "leads"
_MODELS = "models"
_NONE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Active:
    """What decides in one slot: ref is an agreement's or a model's id; version that of an agreement, else 0."""

    slot: str
    generation: int
    ref: str
    version: int
    p_threshold: float | None
    switched_at: datetime


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides while a transaction holds it; models: how many were ever published, for who remembers them."""

    actives: tuple[Active, ...]
    models: int


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A published model: its card as JSON text."""

    model_id: UUID
    slot: str
    family: str
    card: str


# Batches hold it shared, a switch of terms alone: so none is under way by the old terms when leads are folded anew.
# The function holds first and reads after, in one statement (migration 0004).
_HOLD = text("select slot, generation, ref, version, p_threshold, switched_at from hold_terms()")
_ALONE = text("select pg_advisory_xact_lock(hashtextextended('scoring terms', 0))")
_KEEP_AGREEMENT = text(
    """
    insert into agreement (agreement_id, version, effective_from, sha256, document)
    values (:agreement_id, :version, :effective_from, :sha256, :document) on conflict do nothing
    """
)
_DUE = text(
    """
    select agreement_id, version from agreement
     where effective_from <= :now
       and version > coalesce((select generation from active where slot = 'agreement'), 0)
     order by version desc limit 1
    """
)
_DOCUMENT = text("select document from agreement where agreement_id = :agreement_id and version = :version")
_ACTIVATE = text(
    """
    insert into active as a (slot, generation, ref, version, p_threshold, switched_at)
    values (:slot, :generation, :ref, :version, :p_threshold, :now)
    on conflict (slot) do update
       set generation = excluded.generation, ref = excluded.ref, version = excluded.version,
           p_threshold = excluded.p_threshold, switched_at = excluded.switched_at
     where a.generation < excluded.generation
    returning slot
    """
)
_NOTE_ACTIVATION = text(
    """
    insert into activation (slot, generation, ref, version, p_threshold, switched_at)
    values (:slot, :generation, :ref, :version, :p_threshold, :now) on conflict do nothing
    """
)
_ACTIVE = text("select slot, generation, ref, version, p_threshold, switched_at from active")
_ACTIVE_AT = text(
    """
    select distinct on (slot) slot, generation, ref, version, p_threshold, switched_at
      from activation where switched_at <= :as_of order by slot, generation desc
    """
)
_KEEP_MODEL = text(
    """
    insert into model (model_id, slot, family, card, trained_as_of)
    values (:model_id, :slot, :family, :card, :trained_as_of) on conflict do nothing
    """
)
_CARD = text("select model_id, slot, family, card from model where model_id = :model_id and card is not null")
_NEWEST = text(
    """
    select model_id, slot, family, card from model
     where card is not null order by trained_as_of desc, model_id limit :most
    """
)
# Locked: a switch of terms waits for the round that runs, and the round after it sees the new terms.
_POSITION = text("select after_id from rescan where name = :name for update")
_START = text(
    "insert into rescan (name, after_id) values (:name, :none) on conflict (name) do update set after_id = :none"
)
_MOVE = text("update rescan set after_id = :after where name = :name and after_id = :before")
_END = text("delete from rescan where name = :name and after_id = :before")


async def hold_terms(tx: Tx) -> InForce:
    """Let nobody switch the terms until this transaction ends, and read them; any number of batches may hold them."""
    return in_force((await tx.execute(_HOLD)).all())


def in_force(rows: Sequence[Any]) -> InForce:
    """What rows of `hold_terms()` say: one of each slot, and one that counts the models."""
    actives, models = [], 0
    for row in rows:
        if row[0] == _MODELS:
            models = row[1]
        else:
            actives.append(Active(*row))
    return InForce(tuple(actives), models)


async def keep_agreement(
    tx: Tx, agreement_id: str, version: int, *, effective_from: datetime, sha256: str, document: str
) -> None:
    """Keep a published version; it never changes."""
    await tx.execute(
        _KEEP_AGREEMENT,
        {
            "agreement_id": agreement_id,
            "version": version,
            "effective_from": effective_from,
            "sha256": sha256,
            "document": document,
        },
    )


async def due_agreements(tx: ReadTx) -> tuple[str, int] | None:
    """The newest version that is effective and not active yet."""
    row: Any = (await tx.execute(_DUE, {"now": tx.now})).one_or_none()
    return None if row is None else (row.agreement_id, row.version)


async def document_of(tx: ReadTx, agreement_id: str, version: int) -> str | None:
    """The text of a kept version."""
    found: str | None = (
        await tx.execute(_DOCUMENT, {"agreement_id": agreement_id, "version": version})
    ).scalar_one_or_none()
    return found


async def activate(
    tx: Tx, slot: str, generation: int, *, ref: str, version: int = 0, p_threshold: float | None = None
) -> bool:
    """Switch a slot if the generation is newer; returns whether it did. The activation is noted either way."""
    await tx.execute(_ALONE)
    asked = {
        "slot": slot,
        "generation": generation,
        "ref": ref,
        "version": version,
        "p_threshold": p_threshold,
        "now": tx.now,
    }
    is_switched = (await tx.execute(_ACTIVATE, asked)).one_or_none() is not None
    if is_switched:
        await tx.execute(_NOTE_ACTIVATION, asked)
    return is_switched


async def active_now(tx: ReadTx) -> list[Active]:
    """What decides now, one row per slot."""
    return [Active(**row) for row in (await tx.execute(_ACTIVE)).mappings()]


async def active_at(tx: ReadTx, as_of: datetime) -> list[Active]:
    """What decided at a past moment, one row per slot."""
    return [Active(**row) for row in (await tx.execute(_ACTIVE_AT, {"as_of": as_of})).mappings()]


async def keep_model(
    tx: Tx, model_id: UUID, *, slot: str, family: str, card: str | None, trained_as_of: datetime
) -> None:
    """Keep a published model; it never changes."""
    asked = {"model_id": model_id, "slot": slot, "family": family, "card": card, "trained_as_of": trained_as_of}
    await tx.execute(_KEEP_MODEL, asked)


async def model_card(tx: ReadTx, model_id: UUID) -> KeptModel | None:
    """A kept model that has a card."""
    row: Any = (await tx.execute(_CARD, {"model_id": model_id})).one_or_none()
    return None if row is None else KeptModel(row.model_id, row.slot, row.family, row.card)


async def newest_models(tx: ReadTx, *, most: int) -> list[KeptModel]:
    """The newest kept models, newest first: the challengers that score in shadow."""
    rows: Sequence[Any] = (await tx.execute(_NEWEST, {"most": most})).all()
    return [KeptModel(row.model_id, row.slot, row.family, row.card) for row in rows]


async def start_rescan(tx: Tx) -> None:
    """Let the loop score all leads again, from the first."""
    await tx.execute(_START, {"name": _RESCAN, "none": _NONE})


async def rescan_position(tx: Tx) -> UUID | None:
    """The last lead scored again, locked; None when no rescan runs. Ask it before reading the active terms."""
    found: UUID | None = (await tx.execute(_POSITION, {"name": _RESCAN})).scalar_one_or_none()
    return found


async def move_rescan(tx: Tx, before: UUID, after: UUID) -> None:
    """Note how far the rescan came; does nothing when it was started again meanwhile."""
    await tx.execute(_MOVE, {"name": _RESCAN, "before": before, "after": after})


async def end_rescan(tx: Tx, before: UUID) -> None:
    """The rescan is through; does nothing when it was started again meanwhile."""
    await tx.execute(_END, {"name": _RESCAN, "before": before})
