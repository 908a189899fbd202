"""Consent per lead and purpose, the statements behind it, and what unknown means."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from services.ingest.domain.consent import Standing, Statement
from services.ingest.store.statements import Pending, by_columns, change_by_columns
from shared.contracts.kinds import Consent
from shared.db.engine import ReadTx, Tx

__all__ = [
    "COLUMNS",
    "ConsentRow",
    "DefaultRow",
    "StatementRow",
    "answer_default",
    "changed_consents",
    "consent_row",
    "consents",
    "default",
    "new_statements",
    "unknown_leads",
]


@dataclass(slots=True)
class ConsentRow:
    """One lead and purpose. `told` is what the last event said of the whole tree ("" = nothing yet)."""

    lead_id: UUID
    purpose: str
    standing: Standing
    told: str = ""
    is_allowed: bool = False
    is_gpc: bool = False
    version: int = 0
    source_id: UUID | None = None
    wording_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One statement, kept as proof."""

    id: UUID
    lead_id: UUID
    purpose: str
    consent: str
    voice: str
    wording: str | None
    source_id: UUID | None
    by_user_id: UUID | None
    delivery_id: UUID | None
    is_conflict: bool
    stated_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class DefaultRow:
    """What unknown means, and which version of that answer."""

    unknown_means: str
    version: int
    answered_by: str | None
    answered_at: datetime | None


COLUMNS = (
    "lead_id", "purpose", "own", "own_at", "other", "other_at", "source", "source_at",
    "told", "is_allowed", "is_gpc", "version", "source_id", "wording_sha256",
)  # fmt: skip
_CONSENTS = by_columns(f"select {', '.join(COLUMNS)} from consent where lead_id = any(:ids)", ids="uuid")  # noqa: S608
_CONSENT_OF = {consent.value: consent for consent in Consent}
_SAVE = change_by_columns(
    "consents",
    """
    insert into consent (lead_id, purpose, own, own_at, other, other_at, source, source_at, consent, told, is_allowed,
                         is_gpc, version, source_id, wording_sha256)
    select * from unnest(:lead_ids, :purposes, :own, :own_at, :other, :other_at, :source, :source_at, :consents, :told,
                         :allowed, :gpc, :versions, :source_ids, :wordings)
    on conflict (lead_id, purpose) do update
       set own = excluded.own, own_at = excluded.own_at, other = excluded.other, other_at = excluded.other_at,
           source = excluded.source, source_at = excluded.source_at, consent = excluded.consent, told = excluded.told,
           is_allowed = excluded.is_allowed, is_gpc = excluded.is_gpc, version = excluded.version,
           source_id = excluded.source_id, wording_sha256 = excluded.wording_sha256
    """,
    lead_ids="uuid",
    purposes="text",
    own="text",
    own_at="time",
    other="text",
    other_at="time",
    source="text",
    source_at="time",
    consents="text",
    told="text",
    allowed="bool",
    gpc="bool",
    versions="int",
    source_ids="uuid",
    wordings="text",
)
_STATE = change_by_columns(
    "statements",
    """
    insert into consent_statement (id, lead_id, purpose, consent, voice, wording, source_id, by_user_id, delivery_id,
                                   is_conflict, stated_at, recorded_at)
    select * from unnest(:ids, :lead_ids, :purposes, :consents, :voices, :wordings, :source_ids, :user_ids,
                         :delivery_ids, :conflicts, :stated, :recorded)
    on conflict do nothing
    """,
    ids="uuid",
    lead_ids="uuid",
    purposes="text",
    consents="text",
    voices="text",
    wordings="text",
    source_ids="uuid",
    user_ids="uuid",
    delivery_ids="uuid",
    conflicts="bool",
    stated="time",
    recorded="time",
)


async def consents(tx: ReadTx, lead_ids: Collection[UUID]) -> dict[tuple[UUID, str], ConsentRow]:
    """The consents of these leads, by lead and purpose."""
    rows = await tx.execute(_CONSENTS, {"ids": list(lead_ids)})
    read = (consent_row(*values) for values in cast("Iterable[Sequence[Any]]", rows))
    return {(row.lead_id, row.purpose): row for row in read}


def changed_consents(rows: Sequence[ConsentRow]) -> Pending | None:
    """Write whole rows."""
    if not rows:
        return None
    voices = {name: [getattr(row.standing, name) for row in rows] for name in ("own", "other", "source")}
    return _SAVE, {
        "lead_ids": [row.lead_id for row in rows],
        "purposes": [row.purpose for row in rows],
        **{name: [one.consent.value if one else None for one in said] for name, said in voices.items()},
        **{f"{name}_at": [one.at if one else None for one in said] for name, said in voices.items()},
        "consents": [row.standing.consent.value for row in rows],
        "told": [row.told for row in rows],
        "allowed": [row.is_allowed for row in rows],
        "gpc": [row.is_gpc for row in rows],
        "versions": [row.version for row in rows],
        "source_ids": [row.source_id for row in rows],
        "wordings": [row.wording_sha256 for row in rows],
    }


def new_statements(rows: Sequence[StatementRow]) -> Pending | None:
    """Keep statements as proof."""
    if not rows:
        return None
    return _STATE, {
        "ids": [row.id for row in rows],
        "lead_ids": [row.lead_id for row in rows],
        "purposes": [row.purpose for row in rows],
        "consents": [row.consent for row in rows],
        "voices": [row.voice for row in rows],
        "wordings": [row.wording for row in rows],
        "source_ids": [row.source_id for row in rows],
        "user_ids": [row.by_user_id for row in rows],
        "delivery_ids": [row.delivery_id for row in rows],
        "conflicts": [row.is_conflict for row in rows],
        "stated": [row.stated_at for row in rows],
        "recorded": [row.recorded_at for row in rows],
    }


async def default(tx: ReadTx, *, for_update: bool = False) -> DefaultRow:
    """What unknown consent means now."""
    lock = " for update" if for_update else ""
    statement = f"select unknown_means, version, answered_by, answered_at from consent_default{lock}"  # noqa: S608
    return DefaultRow(**(await tx.execute(statement)).mappings().one())


async def answer_default(tx: Tx, unknown_means: str, *, by: str) -> None:
    """Keep the answer and raise its version."""
    await tx.execute(
        """
        update consent_default set unknown_means = :means, version = version + 1, answered_by = :by,
               answered_at = baton_now()
        """,
        {"means": unknown_means, "by": by},
    )


async def unknown_leads(tx: ReadTx, *, is_allowed: bool, limit: int) -> list[UUID]:
    """Leads told as unknown whose result is not what the default says now; at most `limit`."""
    rows = await tx.execute(
        """
        select lead_id from consent where purpose = 'profiling' and told = 'unknown' and is_allowed <> :allowed
         order by lead_id limit :most
        """,
        {"allowed": is_allowed, "most": limit},
    )
    return list(rows.scalars())


def consent_row(
    lead_id: UUID,
    purpose: str,
    own: str | None,
    own_at: datetime | None,
    other: str | None,
    other_at: datetime | None,
    source: str | None,
    source_at: datetime | None,
    *rest: Any,  # noqa: ANN401 - the other columns, in the order of the fields
) -> ConsentRow:
    """The row of COLUMNS."""
    standing = Standing(
        own=_statement(own, own_at, "own"),
        other=_statement(other, other_at, "other"),
        source=_statement(source, source_at, "source"),
    )
    return ConsentRow(lead_id, purpose, standing, *rest)


def _statement(consent: str | None, at: datetime | None, voice: str) -> Statement | None:
    return None if consent is None or at is None else Statement(_CONSENT_OF[consent], at, voice)
