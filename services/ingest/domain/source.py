"""What a configured source is: its sender, keys, secrets, listed origins and tables.

Read by the front door (from memory) and by the consumer (from the database). Knows no storage and no bytes of requests.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from services.ingest.domain.fields import flag_of, mapping_of, number_of, text_of

__all__ = ["KEY_KINDS", "Secret", "Source", "SourceKey", "SourceSettings", "key_hash", "settings_of"]

KEY_KINDS: Final = ("server_key", "browser_key", "secret")
_ENTRIES_MAX: Final = 500  # rows of one table of a source


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What marketing sets for a source: all data, editable, empty by default."""

    origins: frozenset[str] = frozenset()
    """Web origins that may use its browser key, like https://www.example.com."""
    pages: tuple[tuple[str, str], ...] = ()
    """(path pattern, content), tried before the default table."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Name of a tracked event in lower-case words to kind, tried before the default table."""
    properties: frozenset[str] = frozenset()
    """Properties that are not personal and may travel."""
    consent: str = "unknown"
    """What the source states for everybody it sends: granted or unknown."""
    entry_channel: str | None = None
    rate_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class SourceKey:
    """One write key as the directory knows it: only its hash."""

    id: UUID
    source_id: UUID
    kind: str
    sha256: bytes
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of a webhook source, unwrapped."""

    id: UUID
    value: str
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One configured source; `address` is the last part of its webhook address."""

    id: UUID
    sender: str
    name: str
    address: str
    settings: SourceSettings = SourceSettings()
    secrets: tuple[Secret, ...] = ()
    deleted_at: datetime | None = None


def key_hash(key: str) -> bytes:
    """SHA-256 of a write key: what is stored and looked up; keys are long and random, so no salt is needed."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def settings_of(value: Mapping[str, object]) -> SourceSettings:
    """Settings from stored JSON; fields of another form are left out."""
    pages = value.get("pages")
    consent = text_of(value.get("consent"))
    return SourceSettings(
        origins=frozenset(one.rstrip("/").lower() for one in _texts(value.get("origins"))),
        pages=tuple(
            (pattern, content)
            for row in (pages[:_ENTRIES_MAX] if isinstance(pages, list) else [])
            if (pattern := text_of(mapping_of(row).get("path")))
            and (content := text_of(mapping_of(row).get("content")))
        ),
        names={name.lower(): str(kind) for name, kind in list(mapping_of(value.get("names")).items())[:_ENTRIES_MAX]},
        properties=frozenset(_texts(value.get("properties"))),
        consent="granted" if consent == "granted" or flag_of(value.get("consent")) is True else "unknown",
        entry_channel=text_of(value.get("entry_channel")),
        rate_per_second=number_of(value.get("rate_per_second")),
    )


def _texts(value: object) -> Sequence[str]:
    return [text for one in value[:_ENTRIES_MAX] if (text := text_of(one))] if isinstance(value, list) else []
