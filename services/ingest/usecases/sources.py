"""Makes, changes, rotates and ends sources; reads the directory for the door. Keys are shown once, kept as hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cryptography.fernet import InvalidToken, MultiFernet

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.source import Secret, Source, SourceKey, key_hash, settings_of
from services.ingest.store import sources
from shared.db.engine import ReadTx, Tx
from shared.errors import FieldError, NotFound, Refused
from shared.ids import derived_id, new_id, secret_token
from shared.telemetry import log

__all__ = [
    "IMPORT_SENDERS",
    "KEYED_SENDERS",
    "NewKey",
    "create_source",
    "delete_source",
    "ensure_import_source",
    "patch_source",
    "read_directory",
    "rotate_keys",
]

KEYED_SENDERS: Final = frozenset({"segment", "cloudevents"})
"""Senders that prove themselves by a write key; the others sign."""
IMPORT_SENDERS: Final = {"leads": "csv_leads", "activities": "csv_activities"}
_PREFIX: Final = {"server_key": "bts_", "browser_key": "btb_"}
_SHOWN_CHARACTERS: Final = 10
_OVERLAP_SECONDS: Final = 24 * 3600  # the old key works as long beside the new one


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown, once."""

    id: UUID
    kind: str
    value: str


async def read_directory(tx: ReadTx, wrapping: MultiFernet) -> tuple[list[Source], list[SourceKey]]:
    """All sources with their unwrapped secrets, and all write keys; a secret that cannot be unwrapped is left out."""
    keys, wrapped = await sources.all_keys(tx)
    secrets: dict[UUID, list[Secret]] = {}
    for row in wrapped:
        try:
            value = wrapping.decrypt(bytes(row["wrapped"])).decode()
        except InvalidToken:
            log.error("secret_not_unwrapped", source_id=str(row["source_id"]), secret_id=str(row["id"]))
            continue
        secrets.setdefault(row["source_id"], []).append(Secret(row["id"], value, row["valid_until"]))
    listed = [
        Source(
            id=row["id"],
            sender=row["sender"],
            name=row["name"],
            address=row["address"],
            settings=settings_of(row["settings"]),
            secrets=tuple(secrets.get(row["id"], ())),
            deleted_at=row["deleted_at"],
        )
        for row in await sources.all_sources(tx)
    ]
    return listed, keys


async def create_source(
    tx: Tx,
    *,
    sender: str,
    name: str,
    settings: Mapping[str, object],
    key_kinds: Sequence[str],
    secret: str | None,
    wrapping: MultiFernet,
) -> tuple[UUID, list[NewKey]]:
    """Make a source and its first keys. Raises Refused for an unknown sender, or a signing one without secret."""
    if sender not in ADAPTERS or sender in IMPORT_SENDERS.values():
        known = ", ".join(sorted(ADAPTERS.keys() - set(IMPORT_SENDERS.values())))
        raise Refused("This sender is not known.", errors=[FieldError("/sender", "unknown", f"one of: {known}")])
    is_keyed = sender in KEYED_SENDERS
    if not is_keyed and not secret:
        error = FieldError("/secret", "missing", "paste the sender's signing secret or public key")
        raise Refused("A sender that signs needs its secret.", errors=[error])
    source_id = new_id()
    await sources.add_source(
        tx, source_id=source_id, sender=sender, name=name, address=secret_token(16), settings=settings
    )
    if not is_keyed:
        assert secret is not None, "checked above"
        return source_id, [await _add_secret(tx, source_id, secret, wrapping)]
    return source_id, [await _add_write_key(tx, source_id, kind) for kind in key_kinds]


async def patch_source(
    tx: Tx, source_id: UUID, *, name: str | None, settings: Mapping[str, object] | None
) -> dict[str, Any]:
    """Change name or settings (whole) of a source, and return it. Raises NotFound."""
    row = await _locked(tx, source_id)
    await sources.change_source(
        tx,
        source_id,
        name=row["name"] if name is None else name,
        settings=row["settings"] if settings is None else settings,
        deleted_at=None,
    )
    changed = await sources.source_row(tx, source_id)
    assert changed is not None, "it is locked"
    return changed


async def delete_source(tx: Tx, source_id: UUID) -> None:
    """End a source: its keys stop, its webhook answers 410 for 30 days. Raises NotFound."""
    row = await _locked(tx, source_id)
    await sources.change_source(tx, source_id, name=row["name"], settings=row["settings"], deleted_at=tx.now)


async def rotate_keys(tx: Tx, source_id: UUID, *, kind: str, secret: str | None, wrapping: MultiFernet) -> NewKey:
    """A new key beside the old ones, which end after a day. Raises NotFound; Refused for a secret without a value."""
    await _locked(tx, source_id)
    if kind == "secret" and not secret:
        error = FieldError("/secret", "missing", "paste the sender's new secret or public key")
        raise Refused("A new signing secret is made by the sender.", errors=[error])
    await sources.end_keys(tx, source_id, kind=kind, overlap_seconds=_OVERLAP_SECONDS)
    if kind == "secret":
        assert secret is not None, "checked above"
        return await _add_secret(tx, source_id, secret, wrapping)
    return await _add_write_key(tx, source_id, kind)


async def ensure_import_source(tx: Tx, kind: str) -> UUID:
    """The one source of a kind of file: rows of the same content are known again whatever file they come in."""
    sender = IMPORT_SENDERS[kind]
    source_id = derived_id("source", sender)
    await sources.ensure_source(tx, source_id=source_id, sender=sender, name=f"CSV {kind}", address=str(source_id))
    return source_id


async def _locked(tx: Tx, source_id: UUID) -> dict[str, Any]:
    row = await sources.source_row(tx, source_id, for_update=True)
    if row is None:
        raise NotFound("There is no source with this id; list them with GET /v1/sources.")
    return row


async def _add_write_key(tx: Tx, source_id: UUID, kind: str) -> NewKey:
    key = NewKey(new_id(), kind, _PREFIX[kind] + secret_token(24))
    await sources.add_key(
        tx,
        key_id=key.id,
        source_id=source_id,
        kind=kind,
        shown_prefix=key.value[:_SHOWN_CHARACTERS],
        sha256=key_hash(key.value),
        wrapped=None,
    )
    return key


async def _add_secret(tx: Tx, source_id: UUID, secret: str, wrapping: MultiFernet) -> NewKey:
    key = NewKey(new_id(), "secret", secret)
    await sources.add_key(
        tx,
        key_id=key.id,
        source_id=source_id,
        kind="secret",
        shown_prefix="",
        sha256=None,
        wrapped=wrapping.encrypt(secret.encode()),
    )
    return key
