"""The source directory in memory: who may deliver, by key or by address, as last read outside the accept path.

A key that is not in it is unknown only while the last reading is fresh; before that nobody can say (SENDERS 1.2).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.ingest.domain.source import Source, SourceKey, key_hash
from shared import clock

__all__ = ["FRESH_SECONDS", "GONE_FOR", "Proof", "SourceDirectory"]

FRESH_SECONDS: Final = 60.0  # an older reading may lack a key that was made since
APP_OPTION, HOST_OPTION = "app_id", "collector_host"  # options of a source whose sender knows no keys
GONE_FOR: Final = timedelta(days=30)  # a deleted webhook answers 410 as long, so that its sender stops


@dataclass(frozen=True, slots=True)
class Proof:
    """From whom a request is, and how that was proven: by the key or secret of this id, until then (None: for good)."""

    source: Source
    verified_by: str
    secret_id: str | None
    valid_until: datetime | None = None


class SourceDirectory:
    """Keys, secrets, origins and settings of all sources. Replaced whole; never changed in place."""

    def __init__(self) -> None:
        self._keys: dict[bytes, Proof] = {}
        self._proven: dict[str, Proof] = {}  # by the key itself, of keys that came: hashing one costs as much as a rate
        self._addresses: dict[tuple[str, str], Source] = {}
        self._origins: frozenset[str] = frozenset()
        self._decoys: dict[str, str] = {}
        self._apps: dict[str, list[Source]] = {}
        self._read_at: float | None = None

    def replace(self, sources: Iterable[Source], keys: Iterable[SourceKey], *, read_at: float | None) -> None:
        """Take a new reading; read_at is machine time (monotonic) when it began, None for a copy of unknown age."""
        by_id = {source.id: source for source in sources}
        self._keys = {
            key.sha256: Proof(by_id[key.source_id], key.kind, str(key.id), key.valid_until)
            for key in keys
            if key.source_id in by_id
        }
        self._proven = {}
        self._addresses = {(source.sender, source.address): source for source in by_id.values()}
        self._origins = frozenset(origin for source in by_id.values() for origin in source.settings.origins)
        self._decoys = {source.sender: source.secrets[0].value for source in by_id.values() if source.secrets}
        self._apps = {}
        for source in by_id.values():
            if source.deleted_at is None:
                self._apps.setdefault(source.sender, []).append(source)
        self._read_at = read_at

    def is_fresh(self, monotonic_now: float) -> bool:
        """Whether "not in it" means "does not exist"."""
        return self._read_at is not None and monotonic_now - self._read_at < FRESH_SECONDS

    def by_key(self, key: str) -> Proof | None:
        """What a write key proves that is valid now, of a source not deleted; a look-up by hash tells no time."""
        found = self._proven.get(key)
        if found is None:
            found = self._keys.get(key_hash(key))
            if found is None or found.source.deleted_at is not None:
                return None
            self._proven[key] = found
        return None if found.valid_until is not None and found.valid_until <= clock.now() else found

    def by_app(self, sender: str, app: str, *, origin: str, host: str) -> Proof | None:
        """The source of an application that sends no key: by its name, then by its web origin, then by the host called.

        All three are public, so it proves what a browser key proves. A source that names an application takes no other.
        """
        said = [one for one in self._apps.get(sender, ()) if one.settings.options.get(APP_OPTION, app) == app]
        named = [one for one in said if APP_OPTION in one.settings.options]
        listed = origin.rstrip("/").lower()
        close = [one for one in named or said if listed in one.settings.origins] or [
            one for one in named or said if one.settings.options.get(HOST_OPTION) == host
        ]
        found = close or named
        return Proof(found[0], "browser_key", str(found[0].id)) if found else None

    def by_address(self, sender: str, address: str) -> Source | None:
        """The source at a webhook address, deleted ones included."""
        return self._addresses.get((sender, address))

    def is_listed(self, origin: str) -> bool:
        """Whether any source lists this origin: all a preflight can be asked."""
        return origin.rstrip("/").lower() in self._origins

    def decoy(self, sender: str) -> str:
        """Some secret of the sender, so that an unknown address costs the same time as a wrong signature."""
        return self._decoys.get(sender, "")
