"""The copy of the source directory on disk: the door starts with it while PostgreSQL is away (SENDERS 1.2).

Mode 0600, secrets wrapped as in PostgreSQL, keys only as hashes; replaced whole, so a crash leaves the last one. One
that cannot be read is as good as none. Written only when something changed.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

from cryptography.fernet import InvalidToken, MultiFernet
from pydantic import TypeAdapter, ValidationError

from services.ingest.domain.source import Source, SourceKey
from shared.telemetry import log

__all__ = ["DirectoryCopy"]

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class _Copy:
    """What lies on disk: secrets wrapped, hashes of keys in hex."""

    sources: tuple[Source, ...]
    keys: tuple[SourceKey, ...]
    form: Literal[2]
    """Of an earlier form nobody knows which sources ever had a secret: it is as good as none."""


_FORM: Final = TypeAdapter(_Copy)


class DirectoryCopy:
    """One file. A disk that fails costs the copy, never the door: it is logged."""

    def __init__(self, file: Path, wrapping: MultiFernet) -> None:
        self._file, self._wrapping = file, wrapping
        self._written: bytes | None = None  # digest of the plain content, in this process's memory alone

    def load(self) -> tuple[Sequence[Source], Sequence[SourceKey]] | None:
        """What was last written, or None. A secret that cannot be unwrapped is left out. It blocks: for the start."""
        try:
            found = _FORM.validate_json(self._file.read_bytes())
            return [self._unwrapped(one) for one in found.sources], [_from_hex(one) for one in found.keys]
        except FileNotFoundError:
            return None
        except (OSError, ValidationError, ValueError) as error:
            log.error("directory_copy_not_read", reason=type(error).__name__)
            return None

    async def save(self, sources: Sequence[Source], keys: Sequence[SourceKey]) -> None:
        """Write what is new; the same again costs no write."""
        digest = blake2b(repr((sorted(sources, key=_id_of), sorted(keys, key=_id_of))).encode()).digest()
        if digest == self._written:
            return
        try:
            await asyncio.to_thread(self._save, _Copy(tuple(map(self._wrapped, sources)), tuple(map(_in_hex, keys)), 2))
        except OSError as error:
            log.error("directory_copy_not_written", reason=error.strerror)
        else:
            self._written = digest

    def _save(self, copy: _Copy) -> None:
        folder, fresh = self._file.parent, self._file.with_suffix(".new")
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        fresh.touch(_FILE_MODE, exist_ok=False)
        with fresh.open("wb") as opened:
            opened.write(_FORM.dump_json(copy))
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(self._file)
        names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(names)
        finally:
            os.close(names)

    def _wrapped(self, source: Source) -> Source:
        wrap = self._wrapping.encrypt
        return replace(
            source, secrets=tuple(replace(one, value=wrap(one.value.encode()).decode()) for one in source.secrets)
        )

    def _unwrapped(self, source: Source) -> Source:
        secrets = []
        for one in source.secrets:
            try:
                secrets.append(replace(one, value=self._wrapping.decrypt(one.value).decode()))
            except InvalidToken:
                log.error("secret_not_unwrapped", source_id=str(source.id), secret_id=str(one.id))
        return replace(source, secrets=tuple(secrets))


def _id_of(one: Source | SourceKey) -> str:
    return str(one.id)


def _in_hex(key: SourceKey) -> SourceKey:
    return replace(key, sha256=key.sha256.hex().encode())


def _from_hex(key: SourceKey) -> SourceKey:
    return replace(key, sha256=bytes.fromhex(key.sha256.decode()))
