"""Makes, changes, rotates and ends sources; reads the directory for the door. Keys are shown once, kept as hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cryptography.fernet import InvalidToken, MultiFernet

from services.ingest.adapters import ADAPTERS, Adapter
from services.ingest.domain.fetching import api_base
from services.ingest.domain.source import Secret, Source, SourceKey, key_hash, settings_of
from services.ingest.store import fetches, sources
from shared.db.engine import ReadTx, Tx
from shared.errors import FieldError, NotFound, Refused
from shared.ids import derived_id, new_id, secret_token
from shared.telemetry import log

__all__ = [
    "CONNECTED_SENDERS",
    "IMPORT_SENDERS",
    "OVERLAP_HOURS",
    "OVERLAP_HOURS_MAX",
    "NewKey",
    "create_source",
    "delete_source",
    "ensure_import_source",
    "patch_source",
    "read_directory",
    "revoke_key",
    "rotate_keys",
]

IMPORT_SENDERS: Final = {"leads": "csv_leads", "activities": "csv_activities"}
CONNECTED_SENDERS: Final[Mapping[str, Adapter]] = {
    name: adapter for name, adapter in sorted(ADAPTERS.items()) if name not in IMPORT_SENDERS.values()
}
"""What a source can be made of: every sender that was found but our own files."""
OVERLAP_HOURS: Final = 24
"""How long an old key works beside the new one unless said."""
OVERLAP_HOURS_MAX: Final = 30 * 24
KEYS_VALID_MAX: Final = 10  # of one kind: every one is tried on every delivery of a sender that signs
_PREFIX: Final = {"server_key": "bts_", "browser_key": "btb_"}
_SHOWN_CHARACTERS: Final = 10
_KEY_KINDS: Final = ("server_key", "browser_key")
_TOKEN: Final = "api_token"  # noqa: S105 - the name of a kind of key


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown, once; a secret that was pasted is not shown again."""

    id: UUID
    kind: str
    value: str
    is_pasted: bool = False


async def read_directory(tx: ReadTx, wrapping: MultiFernet) -> tuple[list[Source], list[SourceKey]]:
    """All sources with their unwrapped secrets, and all write keys; a secret that cannot be unwrapped is left out."""
    keys, wrapped = await sources.all_keys(tx)
    secrets: dict[UUID, list[Secret]] = {}
    for row in wrapped:
        if row["kind"] != "secret":  # a token is what we show the sender, never what proves him
            continue
        try:
            value = wrapping.decrypt(bytes(row["wrapped"])).decode()
        except InvalidToken:
            log.error("secret_not_unwrapped", source_id=str(row["source_id"]), secret_id=str(row["id"]))
            continue
        secrets.setdefault(row["source_id"], []).append(Secret(row["id"], value, row["valid_until"]))
    with_secret = await sources.sources_with_secret(tx)
    listed = [
        Source(
            id=row["id"],
            sender=row["sender"],
            name=row["name"],
            address=row["address"],
            settings=settings_of(row["settings"]),
            secrets=tuple(secrets.get(row["id"], ())),
            deleted_at=row["deleted_at"],
            has_secret=row["id"] in with_secret,
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
    """Make a source and its first keys; a secret that only travels along is made by us unless one is given.

    Raises Refused for an unknown sender, or one that signs when its secret is missing.
    """
    adapter = CONNECTED_SENDERS.get(sender)
    if adapter is None:
        error = FieldError("/sender", "unknown", f"one of: {', '.join(CONNECTED_SENDERS)}")
        raise Refused("This sender is not known.", errors=[error])
    given = _secret_of(adapter, secret)
    source_id = new_id()
    await sources.add_source(
        tx, source_id=source_id, sender=sender, name=name, address=secret_token(16), settings=settings
    )
    if adapter.PROOF == "key":
        return source_id, [await _add_write_key(tx, source_id, kind) for kind in key_kinds]
    if given is None:  # only its address proves it
        return source_id, []
    return source_id, [await _add_secret(tx, source_id, given, wrapping, is_pasted=bool(secret))]


async def patch_source(
    tx: Tx, source_id: UUID, *, name: str | None, settings: Mapping[str, object] | None
) -> dict[str, Any]:
    """Change the name or the settings that are given (None: back to the default), and return it. Raises NotFound.

    `tokens_ended` in it: how many API tokens a change of the API's host ended.
    """
    row = await _locked(tx, source_id)
    after = row["settings"] if settings is None else _merged(row["settings"], settings)
    await sources.change_source(
        tx,
        source_id,
        name=row["name"] if name is None else name,
        settings=after,
        deleted_at=None,
    )
    changed = await sources.source_row(tx, source_id)
    assert changed is not None, "it is locked"
    return changed | {"tokens_ended": await _end_tokens_of_another_host(tx, row, after)}


async def _end_tokens_of_another_host(tx: Tx, row: Mapping[str, Any], after: Mapping[str, object]) -> int:
    """How many API tokens ended, since what they are sent to is not what they were given for.

    Nobody can read a token; whoever may set `api_url` could have it sent to a host of his own. What still waits to be
    asked goes to the new host, so that a token that is given next is never sent to the old one.
    """
    own = getattr(ADAPTERS.get(row["sender"]), "API_URL", None)
    if own is None:
        return 0
    base = api_base(settings_of(after), default=own)
    if base == api_base(settings_of(row["settings"]), default=own):
        return 0
    await fetches.rebase_fetches(tx, row["id"], base=base)
    return await sources.end_keys_now(tx, row["id"], kind=_TOKEN)


async def delete_source(tx: Tx, source_id: UUID) -> None:
    """End a source: its keys stop, its webhook answers 410 for 30 days. Raises NotFound."""
    row = await _locked(tx, source_id)
    await sources.change_source(tx, source_id, name=row["name"], settings=row["settings"], deleted_at=tx.now)


async def rotate_keys(
    tx: Tx,
    source_id: UUID,
    *,
    kind: str,
    secret: str | None,
    wrapping: MultiFernet,
    overlap_hours: int = OVERLAP_HOURS,
) -> NewKey:
    """A new key beside the old ones, which end after the overlap (0: now).

    Raises NotFound; Refused for a kind the sender has not, a secret without a value, or too many valid keys.
    """
    row = await _locked(tx, source_id)
    adapter = ADAPTERS.get(row["sender"])
    fitting = _kinds_of(adapter)
    if kind not in fitting:
        error = FieldError("/kind", "kind", f"must be {' or '.join(fitting)}")
        raise Refused("This sender has no such key.", errors=[error])
    await sources.end_keys(tx, source_id, kind=kind, overlap_seconds=overlap_hours * 3600)
    if await sources.valid_keys(tx, source_id, kind=kind) >= KEYS_VALID_MAX:
        raise Refused(f"{KEYS_VALID_MAX} keys of this kind are still valid; revoke those nobody uses, then rotate.")
    if kind in _KEY_KINDS:
        return await _add_write_key(tx, source_id, kind)
    given = secret if kind == _TOKEN else None if adapter is None else _secret_of(adapter, secret)
    if not given:
        error = FieldError("/secret", "missing", "paste the sender's new secret or public key")
        raise Refused("A new signing secret is made by the sender.", errors=[error])
    return await _add_secret(tx, source_id, given, wrapping, is_pasted=bool(secret), kind=kind)


async def revoke_key(tx: Tx, source_id: UUID, key_id: UUID) -> dict[str, Any]:
    """End one key now, and return it; one that has ended stays as it is. Raises NotFound."""
    await _locked(tx, source_id)
    if not await sources.end_key(tx, source_id, key_id):
        raise NotFound("This source has no such key; GET the source lists its keys.")
    return next(row for row in await sources.keys_of(tx, [source_id]) if row["id"] == key_id)


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


def _kinds_of(adapter: Adapter | None) -> tuple[str, ...]:
    """The kinds of keys a sender has; one with an API of its own (`API_URL`) is asked with a token."""
    if adapter is not None and adapter.PROOF == "key":
        return _KEY_KINDS
    return ("secret", _TOKEN) if hasattr(adapter, "API_URL") else ("secret",)


def _secret_of(adapter: Adapter, secret: str | None) -> str | None:
    """The secret a source begins with: as given, or ours where the sender sends along what we tell it to.

    Raises Refused for a sender that signs without one: a scheme without a secret would be open or useless.
    """
    if secret or adapter.PROOF in {"key", "address"}:
        return secret or None
    if adapter.PROOF == "shared_secret":
        return secret_token(24)
    error = FieldError("/secret", "missing", "paste the signing secret or public key that the sender shows")
    raise Refused("A sender that signs needs its secret.", errors=[error])


def _merged(before: Mapping[str, object], change: Mapping[str, object]) -> dict[str, object]:
    """A JSON merge patch of one level: null takes a setting away."""
    return {name: value for name, value in {**before, **change}.items() if value is not None}


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


async def _add_secret(
    tx: Tx, source_id: UUID, secret: str, wrapping: MultiFernet, *, is_pasted: bool, kind: str = "secret"
) -> NewKey:
    key = NewKey(new_id(), kind, secret, is_pasted)
    await sources.add_key(
        tx,
        key_id=key.id,
        source_id=source_id,
        kind=kind,
        shown_prefix="",
        sha256=None,
        wrapped=wrapping.encrypt(secret.encode()),
    )
    return key
