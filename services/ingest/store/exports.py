"""Exports: who asked for whom, and everything ingest keeps of one person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.ingest.store import people
from services.ingest.store.statements import by_columns
from shared.db.engine import ReadTx, Tx

__all__ = ["ExportRow", "OwnPart", "add_export", "export_row", "own_part"]

_MEMBERS = by_columns("select * from lead where root_id = any(:ids) order by created_at, id", ids="uuid")
_KEYS = by_columns(
    "select kind, encode(value_hmac, 'hex') as keyed_hash, seen_at from identity_key where lead_id = any(:ids)"
    " order by kind, seen_at, 2",
    ids="uuid",
)
_TEXTS = by_columns(
    "select * from activity_text where lead_id = any(:ids) order by occurred_at, activity_id", ids="uuid"
)
_CONSENTS = by_columns(
    """
    select purpose, consent, voice, wording, source_id, delivery_id, is_conflict, stated_at, recorded_at
      from consent_statement where lead_id = any(:ids) order by stated_at, id
    """,
    ids="uuid",
)
_NO_ATTRIBUTES = frozenset({"id", "parent_id", "root_id", "identity_version", "profile_version", "link_version"})


@dataclass(frozen=True, slots=True)
class ExportRow:
    """Somebody asked for the export of a person."""

    lead_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnPart:
    """All that ingest keeps of one person."""

    lead_ids: list[UUID]
    identifiers: list[dict[str, Any]]
    profile: list[dict[str, Any]]
    attributes: list[dict[str, Any]]
    texts: list[dict[str, Any]]
    consents: list[dict[str, Any]]


async def add_export(tx: Tx, export_id: UUID, lead_id: UUID, *, by: str) -> None:
    """Note that it was asked for."""
    statement = "insert into export (id, lead_id, by) values (:id, :lead_id, :by)"
    await tx.execute(statement, {"id": export_id, "lead_id": lead_id, "by": by})


async def export_row(tx: ReadTx, export_id: UUID) -> ExportRow | None:
    """One export, or None."""
    row = (await tx.execute("select lead_id, at from export where id = :id", {"id": export_id})).first()
    return None if row is None else ExportRow(row.lead_id, row.at)


async def own_part(tx: ReadTx, root_id: UUID) -> OwnPart:
    """Everything of the tree of this root. Product ids and those of browsers are kept as keyed hashes alone."""
    members = [dict(row) for row in (await tx.execute(_MEMBERS, {"ids": [root_id]})).mappings()]
    # The root first: by its id the other services know the person.
    ids = sorted((row["id"] for row in members), key=lambda one: (one != root_id, one))
    profiles = await people.profiles(tx, ids)
    externals = await people.external_ids(tx, ids)
    fields = [
        {"lead_id": one, "field": name, "value": stated.value, "stated_at": stated.at}
        for one in ids
        for name, stated in sorted(profiles.get(one, {}).items())
    ]
    known = [
        {"kind": "external", "system": system, "id": found} for one in ids for system, found in externals.get(one, ())
    ]
    return OwnPart(
        lead_ids=ids,
        identifiers=[
            *({"kind": one["field"], "id": one["value"]} for one in fields if one["field"] in {"email", "phone"}),
            *known,
            *await _rows(tx, _KEYS, ids),
        ],
        profile=fields,
        attributes=[
            {"lead_id": row["id"]}
            | {name: value for name, value in row.items() if name not in _NO_ATTRIBUTES and value is not None}
            for row in members
        ],
        texts=await _rows(tx, _TEXTS, ids),
        consents=await _rows(tx, _CONSENTS, ids),
    )


async def _rows(tx: ReadTx, statement: Any, ids: list[UUID]) -> list[dict[str, Any]]:  # noqa: ANN401 - a statement
    return [dict(row) for row in (await tx.execute(statement, {"ids": ids})).mappings()]
