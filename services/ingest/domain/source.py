"""What a configured source is: its sender, keys, secrets, listed origins and tables.

Read by the front door (from memory) and by the consumer (from the database). Knows no storage and no bytes of requests.
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

from services.ingest.domain.fields import flag_of, mapping_of, number_of, text_of

__all__ = ["Secret", "Source", "SourceKey", "SourceSettings", "is_zone", "key_hash", "origin_of", "settings_of"]

_ENTRIES_MAX: Final = 500  # rows of one table of a source
_HOST_CHARACTERS_MAX: Final = 253  # RFC 1035
_ORIGIN: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?/?", re.ASCII)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


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
    time_zone: str | None = None
    """The zone of senders that say times without one (IANA name); None: UTC."""
    mapping: Mapping[str, object] = field(default_factory=dict)
    """Where a generic sender's body says what: our field to JSON path (`adapters/generic.py` says the form)."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What one sender alone needs to know, by the name its adapter states (a topic, an API host, a kind)."""


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
    has_secret: bool = False
    """Whether it ever had one, valid or not: ending a secret, or losing what unwraps it, must not open an address."""

    @property
    def is_open(self) -> bool:
        """Whether a mere address may prove it, where its sender has no more."""
        return not (self.has_secret or self.secrets)


def key_hash(key: str) -> bytes:
    """SHA-256 of a write key: what is stored and looked up; keys are long and random, so no salt is needed."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def origin_of(text: str) -> str | None:
    """A web origin as browsers send it (RFC 6454): scheme://host[:port], lower case, no default port; None for others.

    One `/` behind it is dropped, since people copy addresses; a path is refused, since it would never match.
    """
    found = _ORIGIN.fullmatch(text.strip(" ").lower())
    if found is None or not _is_host(found[2]):
        return None
    scheme, host, port = found[1], found[2], int(found[3] or _DEFAULT_PORTS[found[1]])
    if not 0 < port < 2**16:
        return None
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def is_zone(name: str) -> bool:
    """Whether it is a zone of the IANA list."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


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
        time_zone=text_of(value.get("time_zone")),
        mapping=mapping_of(value.get("mapping")),
        options={name: str(one) for name, one in list(mapping_of(value.get("options")).items())[:_ENTRIES_MAX]},
    )


def _is_host(host: str) -> bool:
    """Whether a lower-case name or address could be one: labels of RFC 1123, else an IP address."""
    labels = host.split(".")
    if not host.startswith("[") and not labels[-1].isdigit():
        return len(host) <= _HOST_CHARACTERS_MAX and all(_LABEL.fullmatch(label) for label in labels)
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _texts(value: object) -> Sequence[str]:
    return [text for one in value[:_ENTRIES_MAX] if (text := text_of(one))] if isinstance(value, list) else []
