"""One file of the spool, and what is found in a folder of them at start. All of it blocks: for the spool's thread.

Invariant: a segment that was found is as long as its whole records are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.ingest.collector.spool_disk import Disk
from services.ingest.collector.spool_records import RECORD_BYTES_MAX, Spooled, first_length, packed, unpacked
from shared import clock
from shared.telemetry import log

__all__ = ["ASIDE_SUFFIX", "SUFFIX", "Segment", "found_segments", "read_records", "write_aside"]

SUFFIX: Final = ".spool"
ASIDE_SUFFIX: Final = ".aside"
_WINDOW_BYTES: Final = 1024 * 1024


@dataclass(slots=True, eq=False)
class Segment:
    """A file: how much of it is written and synced, how much is acknowledged, and since when it waits."""

    file: Path
    since: float
    descriptor: int | None = None
    length: int = 0
    records: int = 0
    drained: int = 0


def read_records(disk: Disk, file: Path, start: int, end: int) -> tuple[list[Spooled], int]:
    """The records from a place on and their length: those of a window, or the one that is larger."""
    data = disk.read(file, at=start, length=min(_WINDOW_BYTES, end - start))
    first = first_length(data)
    if len(data) < first <= min(RECORD_BYTES_MAX, end - start):
        data = disk.read(file, at=start, length=first)
    return unpacked(data)


def found_segments(disk: Disk, folder: Path) -> list[Segment]:
    """The segments of earlier processes, oldest first, none empty.

    Each is cut at its first damaged record: what lies behind one was never answered.
    """
    segments: list[Segment] = []
    now, epoch_now = clock.monotonic(), clock.machine_now().timestamp()
    for file in disk.names(folder, SUFFIX):
        size, written_at = disk.size_and_time(file)
        segment = Segment(file, now - max(0.0, epoch_now - written_at))
        while segment.length < size:
            found, length = read_records(disk, file, segment.length, size)
            if not found:
                break
            segment.length += length
            segment.records += len(found)
        if segment.length < size:
            log.warning("spool_cut", file=file.name, bytes=size - segment.length)
            disk.cut(file, segment.length)
        if segment.length:
            segments.append(segment)
        else:
            disk.delete(file)
    return segments


def write_aside(disk: Disk, folder: Path, record: Spooled) -> Path:
    """Make one record durable in a file of its own, which no start reads; a half written one is written anew."""
    file = folder / f"{record.delivery_id}{ASIDE_SUFFIX}"
    disk.delete(file)
    descriptor = disk.create(file)
    try:
        disk.write(descriptor, packed(record), at=0)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    disk.sync_folder(folder)
    return file
