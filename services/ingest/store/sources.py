"""Sources and their keys: what the directory and the consumer read, and what the console changes."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.ingest.domain.source import SourceKey, SourceSettings, settings_of
from services.ingest.store.statements import by_columns
from shared.db.engine import ReadTx, Tx

__all__ = [
    "add_key",
    "add_source",
    "all_keys",
    "all_sources",
    "change_source",
    "end_key",
    "end_keys",
    "end_keys_now",
    "ensure_source",
    "keys_of",
    "settings_and_default",
    "source_row",
    "source_rows",
    "sources_with_secret",
    "valid_keys",
]

_SETTINGS = by_columns(
    """
    select id, settings, null from source where id = any(:ids)
    union all
    select null, null, unknown_means from consent_default
    """,
    ids="uuid",
)
_ROW = "select id, sender, name, address, settings, version, created_at, deleted_at from source"


async def settings_and_default(tx: ReadTx, ids: Collection[UUID]) -> tuple[dict[UUID, SourceSettings], str]:
    """The settings of these sources (unknown ones are absent), and what unknown consent means."""
    found: dict[UUID, SourceSettings] = {}
    unknown_means = ""
    rows: Sequence[Any] = (await tx.execute(_SETTINGS, {"ids": list(ids)})).all()
    for source_id, settings, meaning in rows:
        if source_id is None:
            unknown_means = meaning
        else:
            found[source_id] = settings_of(settings)
    return found, unknown_means


async def all_sources(tx: ReadTx) -> list[dict[str, Any]]:
    """Every source that is live, or was deleted lately enough that its sender must still be told."""
    rows = await tx.execute(f"{_ROW} where deleted_at is null or deleted_at > baton_now() - interval '30 days'")
    return [dict(row) for row in rows.mappings()]


async def all_keys(tx: ReadTx) -> tuple[list[SourceKey], list[dict[str, Any]]]:
    """(write keys by hash, webhook secrets wrapped) that are valid now or later."""
    rows = await tx.execute(
        """
        select id, source_id, kind, sha256, wrapped, valid_until from source_key
         where valid_until is null or valid_until > baton_now() order by created_at desc
        """
    )
    listed = [dict(row) for row in rows.mappings()]
    keys = [
        SourceKey(row["id"], row["source_id"], row["kind"], bytes(row["sha256"]), row["valid_until"])
        for row in listed
        if row["sha256"] is not None
    ]
    return keys, [row for row in listed if row["wrapped"] is not None]


async def sources_with_secret(tx: ReadTx) -> set[UUID]:
    """The sources that ever had a secret, ended ones included."""
    rows = await tx.execute("select distinct source_id from source_key where kind = 'secret'")
    return set(rows.scalars())


async def source_rows(tx: ReadTx) -> list[dict[str, Any]]:
    """All live sources, oldest first."""
    rows = await tx.execute(f"{_ROW} where deleted_at is null order by created_at, id")
    return [dict(row) for row in rows.mappings()]


async def source_row(tx: ReadTx, source_id: UUID, *, for_update: bool = False) -> dict[str, Any] | None:
    """One live source, or None."""
    lock = " for update" if for_update else ""
    rows = await tx.execute(f"{_ROW} where id = :id and deleted_at is null{lock}", {"id": source_id})
    row = rows.mappings().first()
    return None if row is None else dict(row)


async def keys_of(tx: ReadTx, source_ids: Collection[UUID]) -> list[dict[str, Any]]:
    """The keys of sources as shown: kind, prefix, times, never the key."""
    rows = await tx.execute(
        by_columns(
            """
            select id, source_id, kind, shown_prefix, created_at, valid_until from source_key
             where source_id = any(:ids) order by created_at, id
            """,
            ids="uuid",
        ),
        {"ids": list(source_ids)},
    )
    return [dict(row) for row in rows.mappings()]


async def add_source(
    tx: Tx, *, source_id: UUID, sender: str, name: str, address: str, settings: Mapping[str, object]
) -> None:
    """Make a source."""
    await tx.execute(
        """
        insert into source (id, sender, name, address, settings)
        values (:id, :sender, :name, :address, cast(:settings as jsonb))
        """,
        {"id": source_id, "sender": sender, "name": name, "address": address, "settings": json.dumps(settings)},
    )


async def ensure_source(tx: Tx, *, source_id: UUID, sender: str, name: str, address: str) -> None:
    """Make a source of ours (a file import) unless it is there."""
    await tx.execute(
        """
        insert into source (id, sender, name, address) values (:id, :sender, :name, :address) on conflict do nothing
        """,
        {"id": source_id, "sender": sender, "name": name, "address": address},
    )


async def change_source(
    tx: Tx, source_id: UUID, *, name: str, settings: Mapping[str, object], deleted_at: datetime | None
) -> None:
    """Write a locked source and raise its version."""
    await tx.execute(
        """
        update source set name = :name, settings = cast(:settings as jsonb), deleted_at = :deleted_at,
               version = version + 1 where id = :id
        """,
        {"id": source_id, "name": name, "settings": json.dumps(settings), "deleted_at": deleted_at},
    )


async def add_key(
    tx: Tx, *, key_id: UUID, source_id: UUID, kind: str, shown_prefix: str, sha256: bytes | None, wrapped: bytes | None
) -> None:
    """Add a key; the hash of a write key or the wrapped secret of a webhook."""
    await tx.execute(
        """
        insert into source_key (id, source_id, kind, shown_prefix, sha256, wrapped)
        values (:id, :source_id, :kind, :shown_prefix, :sha256, :wrapped)
        """,
        {
            "id": key_id,
            "source_id": source_id,
            "kind": kind,
            "shown_prefix": shown_prefix,
            "sha256": sha256,
            "wrapped": wrapped,
        },
    )


async def end_keys(tx: Tx, source_id: UUID, *, kind: str, overlap_seconds: int) -> None:
    """Let the keys of a kind that never end, end after an overlap."""
    await tx.execute(
        """
        update source_key set valid_until = baton_now() + make_interval(secs => :seconds)
         where source_id = :source_id and kind = :kind and valid_until is null
        """,
        {"source_id": source_id, "kind": kind, "seconds": overlap_seconds},
    )


async def end_keys_now(tx: Tx, source_id: UUID, *, kind: str) -> int:
    """End all valid keys of a kind, those in their overlap too; how many."""
    ended = await tx.execute(
        """
        update source_key set valid_until = baton_now()
         where source_id = :source_id and kind = :kind and (valid_until is null or valid_until > baton_now())
        """,
        {"source_id": source_id, "kind": kind},
    )
    return int(ended.rowcount)


async def end_key(tx: Tx, source_id: UUID, key_id: UUID) -> bool:
    """End one key of a source now unless it has ended; False when there is none."""
    ended = await tx.execute(
        """
        update source_key set valid_until = least(valid_until, baton_now())
         where source_id = :source_id and id = :id
        """,
        {"source_id": source_id, "id": key_id},
    )
    return bool(ended.rowcount)


async def valid_keys(tx: ReadTx, source_id: UUID, *, kind: str) -> int:
    """How many keys of a kind work now."""
    rows = await tx.execute(
        """
        select count(*) from source_key
         where source_id = :source_id and kind = :kind and (valid_until is null or valid_until > baton_now())
        """,
        {"source_id": source_id, "kind": kind},
    )
    return int(rows.scalar_one())
