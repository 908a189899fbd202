"""Memory and speed of the import path alone: `python -m tests.bench.import_rows [rows ...]`.

A file of that many badge scans is read as the import route reads it (encoding, whole check, cut into deliveries) with
nobody behind it: no database, no broker. Prints one line per size; memory must not grow with the rows.
"""

import resource
import sys
import tempfile
from typing import BinaryIO, cast

from services.ingest.api.uploads import IN_MEMORY_BYTES, text_of
from services.ingest.domain.csv_columns import plan_of
from services.ingest.domain.csv_file import checked
from services.ingest.domain.csv_text import encoding_of
from services.ingest.usecases.imports import How, file_hash, import_id_of, pieces
from shared.clock import machine_now, monotonic
from shared.ids import derived_id

SIZES = (100_000, 1_000_000)
_HEADER = "E-Mail;Attendee;Company;Scanned at;Notes\r\n"
_CHUNK_ROWS = 10_000


def main() -> int:
    """Measure each size and print what it took."""
    for rows in [int(one) for one in sys.argv[1:]] or SIZES:
        sys.stdout.write(measured(rows) + "\n")
        sys.stdout.flush()
    return 0


def measured(rows: int) -> str:
    """Read a file of so many rows; the peak is that of the process, so measure the small size first."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as spooled:
        file = cast("BinaryIO", spooled)
        size = _write(file, rows)
        began, before = monotonic(), _peak_mebibytes()
        how = How(plan_of("activities", said=[], fixed=["kind=badge scan"]), "Europe/Berlin")
        import_id = import_id_of(how, file_hash(file))
        text = text_of(file, encoding_of(file))
        assert checked(text, how.plan) == rows
        text.seek(0)
        source = derived_id("source", "bench")
        sent = pieces(text, how=how, import_id=import_id, source_id=source, by="bench", received_at=machine_now())
        deliveries = [len(one.body) for one in sent]
        seconds = monotonic() - began
        text.detach()
    return (
        f"{rows:>9,} rows, {size / 2**20:.0f} MiB: {len(deliveries):,} deliveries in {seconds:.1f} s, "
        f"{rows / seconds:,.0f} rows/s, peak RSS {before:.0f} MiB before, {_peak_mebibytes():.0f} MiB after"
    )


def _write(file: BinaryIO, rows: int) -> int:
    file.write(_HEADER.encode())
    for first in range(0, rows, _CHUNK_ROWS):
        lines = (
            f"p{n}@acme{n % 997}.example;Person {n};Acme {n % 997};12.06.2026 {n % 24:02}:{n % 60:02};a word or two\r\n"
            for n in range(first, min(first + _CHUNK_ROWS, rows))
        )
        file.write("".join(lines).encode())
    size = file.tell()
    file.seek(0)
    return size


def _peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
