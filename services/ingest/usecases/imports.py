"""Imports files: cut into deliveries of at most 500 records, sent through the same topic as everything else.

The ids of import and deliveries come from the file's content, so the same file again is the same import: what was sent
is dropped by the inbox, what was not is sent now. That makes a broken upload resumable by sending the file again.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final, Protocol, TextIO
from uuid import UUID

from services.ingest.domain.csv_file import cut
from services.ingest.usecases.sources import IMPORT_SENDERS
from shared.ids import derived_id

__all__ = ["Deliver", "Piece", "file_hash", "import_id_of", "pieces"]

_READ_BYTES: Final = 1024 * 1024


class Deliver(Protocol):
    """Writes one delivery under a given id; raises Busy when it was not acknowledged."""

    async def __call__(
        self, delivery_id: UUID, key: str, body: bytes, *, request: dict[str, object], received_at: datetime
    ) -> None:
        """Return when it is kept."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One delivery of an import, ready to be sent."""

    delivery_id: UUID
    records: int
    body: bytes
    request: dict[str, object]


def file_hash(file: BinaryIO) -> str:
    """SHA-256 of the whole file, which is left at its start."""
    digest = hashlib.sha256()
    while chunk := file.read(_READ_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def import_id_of(kind: str, sha256: str) -> UUID:
    """The id of the import of this content."""
    return derived_id("import", kind, sha256)


def pieces(
    file: TextIO, *, kind: str, import_id: UUID, source_id: UUID, by: str, received_at: datetime
) -> Iterator[Piece]:
    """The deliveries of a file, in its order. Raises Refused or Unreadable at the place where it is no CSV."""
    for number, (first, text, count) in enumerate(cut(file)):
        request: dict[str, object] = {
            "source_id": str(source_id),
            "sender": IMPORT_SENDERS[kind],
            "method": "POST",
            "path": f"/v1/imports/{import_id}",
            "query": f"first_record={first}",
            "headers": {},
            "verified_by": "server_key",
            "secret_id": by,
            "received_at": received_at.isoformat(),
        }
        yield Piece(derived_id("import", import_id, number), count, text.encode(), request)
