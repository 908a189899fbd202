"""Imports files: cut into deliveries of at most 500 records and about 1 MiB, sent through the topic of everything else.

The ids of import and deliveries come from the file's content and how it is read, so the same file again is the same
import: what was sent is dropped by the inbox, what was not is sent now. That makes a broken upload resumable by sending
the file again. What would be refused is known by reading alone, so a preview and a file of rejects need no import.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final, Protocol, TextIO
from urllib.parse import urlencode
from uuid import UUID

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.csv_columns import OWN_PREFIX, REJECTED, Column, Plan
from services.ingest.domain.csv_file import Piece as CutPiece
from services.ingest.domain.csv_file import cut, header_of
from services.ingest.domain.csv_formula import as_text
from services.ingest.domain.local_times import Dates
from services.ingest.domain.observation import Observation, Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from services.ingest.usecases.sources import IMPORT_SENDERS
from shared.errors import Unreadable
from shared.ids import derived_id
from shared.senders import InboundRequest

__all__ = [
    "Deliver",
    "How",
    "Looked",
    "Piece",
    "file_hash",
    "import_id_of",
    "look_at",
    "pieces",
    "reject_lines",
]

_READ_BYTES: Final = 1024 * 1024
_SHOWN_MAX: Final = 10
_REFUSALS_SHOWN_MAX: Final = 20
_LOOKED_MAX: Final = 5_000  # records a preview reads: enough to find what is wrong with all of them


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


@dataclass(frozen=True, slots=True)
class How:
    """How a file is read: its columns, the zone of its times without one, the order of its dates with slashes."""

    plan: Plan
    time_zone: str = "UTC"
    dates: Dates = "iso"

    def query(self, first: int) -> str:
        """What a delivery of the file says of itself beside its records."""
        said: dict[str, object] = {"first_record": first}
        if self.time_zone != "UTC":
            said["time_zone"] = self.time_zone
        if self.dates != "iso":
            said["dates"] = self.dates
        return urlencode(said)

    def as_text(self) -> str:
        """The same for the same reading; "" for one by the file's own headings alone."""
        parts = [*sorted(self.plan.mapping.items()), ("", ""), *sorted(self.plan.fixed.items())]
        said = "" if parts == [("", "")] else repr(parts)
        zone = "" if self.time_zone == "UTC" else self.time_zone
        return f"{said}{zone}{'' if self.dates == 'iso' else self.dates}"


@dataclass(frozen=True, slots=True)
class Looked:
    """What the beginning of a file would become."""

    columns: Sequence[Column]
    records: int
    is_whole: bool
    read: Sequence[Observation]
    refusals: Sequence[Refusal]
    refused: dict[str, int]
    """How many of the records looked at would be refused, by reason."""


def file_hash(file: BinaryIO) -> str:
    """SHA-256 of the whole file, which is left at its start."""
    digest = hashlib.sha256()
    while chunk := file.read(_READ_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def import_id_of(how: How, sha256: str) -> UUID:
    """The id of the import of this content, read like this."""
    return derived_id("import", how.plan.kind, sha256, *([how.as_text()] if how.as_text() else []))


def pieces(
    file: TextIO, *, how: How, import_id: UUID, source_id: UUID, by: str, received_at: datetime
) -> Iterator[Piece]:
    """The deliveries of a file, in its order. Raises Refused or Unreadable at the place where it is no CSV."""
    for piece in cut(file, how.plan):
        request: dict[str, object] = {
            "source_id": str(source_id),
            "sender": IMPORT_SENDERS[how.plan.kind],
            "method": "POST",
            "path": f"/v1/imports/{import_id}",
            "query": how.query(piece.first),
            "headers": {},
            "verified_by": "server_key",
            "secret_id": by,
            "received_at": received_at.isoformat(),
        }
        yield Piece(_delivery_id(import_id, piece), len(piece.rows), piece.text.encode(), request)


def _delivery_id(import_id: UUID, piece: CutPiece) -> UUID:
    """From the block of records; of a block in parts, from the records of the part: one id never means two contents."""
    if not piece.is_part:
        return derived_id("import", import_id, piece.block)
    return derived_id("import", import_id, piece.block, piece.first, len(piece.rows))


def look_at(file: TextIO, how: How, *, is_beginning: bool) -> Looked:
    """Read the first records as the import would. is_beginning: the file was cut off, so its end may be no CSV.

    Raises Refused or Unreadable for a file that is none.
    """
    columns = header_of(file, how.plan)
    file.seek(0)
    seen, read, refusals = 0, list[Observation](), list[Refusal]()
    refused: dict[str, int] = {}
    is_whole = not is_beginning
    try:
        for piece in cut(file, how.plan):
            parsed = _parsed(piece, how)
            seen += len(piece.rows)
            read.extend(parsed.observations[: _SHOWN_MAX - len(read)])
            refusals.extend(parsed.refusals[: _REFUSALS_SHOWN_MAX - len(refusals)])
            for one in parsed.refusals:
                refused[one.reason] = refused.get(one.reason, 0) + 1
            if seen >= _LOOKED_MAX:
                is_whole = False
                break
    except Unreadable:
        if not is_beginning:
            raise
    return Looked(columns, seen, is_whole, read, refusals, refused)


def reject_lines(file: TextIO, how: How) -> Iterator[str]:
    """The refused records as they stand in the file, behind their number, reason and detail: mend them, send it again.

    The columns in front begin with our prefix, so an import leaves them out; what a spreadsheet would run as a formula
    is quoted, and an import takes the quote off. Raises as `pieces` does.
    """
    columns = header_of(file, how.plan)
    file.seek(0)
    headings = [one.heading for one in columns if not one.heading.startswith(OWN_PREFIX)]
    kept = [at for at, one in enumerate(columns) if not one.heading.startswith(OWN_PREFIX)]
    yield _line([REJECTED, f"{OWN_PREFIX}reason", f"{OWN_PREFIX}detail", *headings])
    for piece in cut(file, how.plan):
        for one in _parsed(piece, how).refusals:
            row = piece.rows[one.index - piece.first]
            cells = [row[at] if at < len(row) else "" for at in kept]
            yield _line([str(one.index), one.reason, one.detail, *cells])


def _parsed(piece: CutPiece, how: How) -> Parsed:
    request = InboundRequest("POST", "/v1/imports", how.query(piece.first), {}, piece.text.encode())
    return ADAPTERS[IMPORT_SENDERS[how.plan.kind]].parse(request, SourceSettings())


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow([as_text(cell) for cell in cells])
    return out.getvalue()
