"""Rows of the agreement: published versions, drafts, and which version is active here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.feedback.domain.agreement.lifecycle import Draft, Signed
from services.feedback.store.loop import read_json
from shared.db.engine import ReadTx, Tx

AGREEMENT_SLOT = "agreement"

_ADD = text(
    """
    insert into agreement (agreement_id, version, effective_from, document, sha256, signatures, is_unsigned_default,
                           published_at)
    values (:agreement_id, :version, :effective_from, :document, :sha256, cast(:signatures as jsonb),
            :is_unsigned_default, :published_at)
    on conflict (agreement_id, version) do nothing
    returning version
    """
)
_VERSIONS = text("select * from agreement order by version desc")
_VERSION = text("select * from agreement where version = :version")
_NEWEST = text("select max(version) from agreement")
_DUE = text(
    """
    select max(version) from agreement where effective_from <= :now
    """
)
_ACTIVE = text("select version from active where slot = :slot")
_ACTIVATE = text(
    """
    insert into active (slot, version, generation) values (:slot, :version, :version)
    on conflict (slot) do update set version = excluded.version, generation = excluded.generation
     where active.generation < excluded.generation
    returning version
    """
)
_LOCK_PUBLISHING = text("select pg_advisory_xact_lock(hashtextextended('publish agreement', 0))")
_DRAFTS = text("select * from draft order by changed_at desc limit :most")
_DRAFT = text("select * from draft where draft_id = :draft_id")
_LOCK_DRAFT = text("select * from draft where draft_id = :draft_id for update")
_SAVE_DRAFT = text(
    """
    insert into draft (draft_id, agreement_id, edition, document, checked_sha256, findings, signatures,
                       published_version, made_by, changed_at)
    values (:draft_id, :agreement_id, :edition, :document, :checked_sha256, cast(:findings as jsonb),
            cast(:signatures as jsonb), :published_version, :made_by, :changed_at)
    on conflict (draft_id) do update
       set edition = excluded.edition, document = excluded.document, checked_sha256 = excluded.checked_sha256,
           findings = excluded.findings, signatures = excluded.signatures,
           published_version = excluded.published_version, changed_at = excluded.changed_at
    """
)


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """One published version; it never changes."""

    agreement_id: str
    version: int
    effective_from: datetime
    document: str
    sha256: str
    signatures: tuple[Signed, ...]
    is_unsigned_default: bool
    published_at: datetime


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft as stored, with what its last check found and who made it."""

    draft: Draft
    findings: tuple[Mapping[str, Any], ...]
    made_by: str
    changed_at: datetime


async def lock_publishing(tx: Tx) -> None:
    """One publication at a time: version numbers have no gap and no double."""
    await tx.execute(_LOCK_PUBLISHING)


async def add_version(tx: Tx, row: AgreementRow) -> bool:
    """Store a version; False when it is there already."""
    values = {
        "agreement_id": row.agreement_id,
        "version": row.version,
        "effective_from": row.effective_from,
        "document": row.document,
        "sha256": row.sha256,
        "signatures": _signatures_text(row.signatures),
        "is_unsigned_default": row.is_unsigned_default,
        "published_at": row.published_at,
    }
    return (await tx.execute(_ADD, values)).first() is not None


async def versions(tx: ReadTx) -> list[AgreementRow]:
    """All published versions, newest first."""
    return [_version(row) for row in await tx.execute(_VERSIONS)]


async def version_of(tx: ReadTx, version: int) -> AgreementRow | None:
    """One published version."""
    row = (await tx.execute(_VERSION, {"version": version})).first()
    return None if row is None else _version(row)


async def newest_version(tx: ReadTx) -> int:
    """The greatest version published; 0 when there is none."""
    return int((await tx.execute(_NEWEST)).scalar() or 0)


async def due_version(tx: ReadTx) -> int | None:
    """The version that should be active now: the greatest whose effective_from has come."""
    return (await tx.execute(_DUE, {"now": tx.now})).scalar()


async def active_version(tx: ReadTx) -> int | None:
    """The version feedback decides by."""
    return (await tx.execute(_ACTIVE, {"slot": AGREEMENT_SLOT})).scalar()


async def activate(tx: Tx, version: int) -> bool:
    """Switch to a version; False when a later one is active already."""
    return (await tx.execute(_ACTIVATE, {"slot": AGREEMENT_SLOT, "version": version})).first() is not None


async def drafts(tx: ReadTx, *, most: int) -> list[DraftRow]:
    """The drafts, last changed first."""
    return [_draft(row) for row in await tx.execute(_DRAFTS, {"most": most})]


async def draft_of(tx: ReadTx, draft_id: UUID) -> DraftRow | None:
    """One draft."""
    row = (await tx.execute(_DRAFT, {"draft_id": draft_id})).first()
    return None if row is None else _draft(row)


async def lock_draft(tx: Tx, draft_id: UUID) -> DraftRow | None:
    """One draft, its row locked."""
    row = (await tx.execute(_LOCK_DRAFT, {"draft_id": draft_id})).first()
    return None if row is None else _draft(row)


async def save_draft(tx: Tx, row: DraftRow) -> None:
    """Store a draft as it is now."""
    draft = row.draft
    await tx.execute(
        _SAVE_DRAFT,
        {
            "draft_id": draft.draft_id,
            "agreement_id": draft.agreement_id,
            "edition": draft.edition,
            "document": draft.document,
            "checked_sha256": draft.checked_sha256,
            "findings": json.dumps([dict(each) for each in row.findings]),
            "signatures": _signatures_text(draft.signatures),
            "published_version": draft.published_version,
            "made_by": row.made_by,
            "changed_at": row.changed_at,
        },
    )


def _version(row: Any) -> AgreementRow:  # noqa: ANN401 - a row of SQLAlchemy
    values = {name: getattr(row, name) for name in AgreementRow.__slots__}
    return AgreementRow(**values | {"signatures": _signatures(row.signatures)})


def _draft(row: Any) -> DraftRow:  # noqa: ANN401 - a row of SQLAlchemy
    draft = Draft(
        draft_id=row.draft_id,
        agreement_id=row.agreement_id,
        edition=row.edition,
        document=row.document,
        checked_sha256=row.checked_sha256,
        signatures=_signatures(row.signatures),
        published_version=row.published_version,
    )
    return DraftRow(
        draft=draft, findings=tuple(read_json(row.findings)), made_by=row.made_by, changed_at=row.changed_at
    )


def _signatures(value: Any) -> tuple[Signed, ...]:  # noqa: ANN401 - a column of SQLAlchemy
    return tuple(
        Signed(user_id=UUID(each["user_id"]), team=each["team"], signed_at=datetime.fromisoformat(each["signed_at"]))
        for each in read_json(value)
    )


def _signatures_text(signatures: Sequence[Signed]) -> str:
    return json.dumps(
        [
            {"user_id": str(each.user_id), "team": each.team, "signed_at": each.signed_at.isoformat()}
            for each in signatures
        ]
    )
