"""The spool: bounded files where deliveries wait that Kafka did not take in time (RELIABILITY 3.1).

Invariants: `append` returns only after the record lies on the medium; the files together never exceed their bound;
after a failed sync nothing is taken any more, since the next one may succeed over lost pages. Knows nothing of Kafka.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from services.ingest.collector.spool_disk import Disk
from services.ingest.collector.spool_records import RECORD_BYTES_MAX, Spooled, packed
from services.ingest.collector.spool_segments import SUFFIX, Segment, found_segments, read_records, write_aside
from shared import clock
from shared.errors import Fatal
from shared.telemetry import announce, gauge, log

__all__ = ["NotSpooled", "Spool"]

APPEND_SECONDS: Final = 1.0
LOCK_SECONDS: Final = 20.0  # as long as the process before us may take to end
_LOCK_LOOK_SECONDS: Final = 0.1
_SEGMENT_BYTES: Final = 16 * 1024 * 1024
_SEGMENTS_LEAST: Final = 8  # a small spool too gives room back before it is empty
_Result = TypeVar("_Result")


class NotSpooled(Exception):
    """The record is not on the disk, or nobody knows; `slug` says why: spool_off, _full, _broken or _slow."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """One who waits for the next sync."""

    data: bytes
    synced: asyncio.Future[None]


class Spool:
    """One folder of segments, of one process. All state is changed in the event loop; one thread does what blocks."""

    def __init__(self, folder: Path, *, bytes_max: int, disk: Disk | None = None) -> None:
        self._folder, self._bytes_max = folder, bytes_max
        self._segment_bytes = max(1, min(_SEGMENT_BYTES, bytes_max // _SEGMENTS_LEAST))
        self._disk = disk or Disk()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._lock: int | None = None
        self._opened = asyncio.Event()
        self._segments: deque[Segment] = deque()  # oldest first; the last one may be open for writing
        self._next_number = 1
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._rounds: asyncio.Task[None] | None = None
        self._writing: Segment | None = None
        self._is_broken = False
        self._window: tuple[int, int] = (0, 0)  # how far the records last given out go, and how many they are

    # ---- what it is like
    @property
    def is_open(self) -> bool:
        """Whether the folder is ours."""
        return self._lock is not None

    @property
    def is_usable(self) -> bool:
        """Whether it is open, and no sync has failed."""
        return self._lock is not None and not self._is_broken

    @property
    def bytes_held(self) -> int:
        """What all segments hold."""
        return sum(one.length for one in self._segments)

    @property
    def records(self) -> int:
        """How many deliveries wait in it; those of a half drained segment all count."""
        return sum(one.records for one in self._segments)

    @property
    def fill(self) -> float:
        """0 for empty to 1 for full."""
        return min(1.0, (self.bytes_held + self._waiting_bytes) / self._bytes_max)

    def measure(self) -> None:
        """Bring the gauges up to date."""
        gauge("baton_spool_bytes", self.bytes_held)
        gauge("baton_spool_segments", len(self._segments))
        gauge("baton_spool_oldest_seconds", clock.monotonic() - self._segments[0].since if self._segments else 0)

    # ---- life
    async def open(self) -> None:
        """Take the folder, cut what a crash left half written, know what is there. Raises Fatal."""
        lock = self._folder / "lock"
        try:
            await self._run(lambda: self._disk.make_folder(self._folder))
            until = clock.monotonic() + LOCK_SECONDS
            held = await self._run(lambda: self._disk.lock(lock))
            while held is None:
                if clock.monotonic() > until:
                    raise Fatal(f"Another process uses the spool {self._folder}: give each its own folder.")
                await clock.sleep(_LOCK_LOOK_SECONDS)
                held = await self._run(lambda: self._disk.lock(lock))
            self._segments.extend(await self._run(lambda: found_segments(self._disk, self._folder)))
        except OSError as error:
            raise Fatal(f"The spool {self._folder} cannot be used: {error.strerror}.") from error
        if self._segments:
            self._next_number = int(self._segments[-1].file.stem) + 1
            log.warning("spool_found", records=self.records, bytes=self.bytes_held)
        self._lock = held
        self._opened.set()
        self.measure()

    async def close(self) -> None:
        """Let the folder go; what is in it stays. Twice is fine."""
        if self._rounds is not None:
            await asyncio.wait([self._rounds])
        lock, self._lock = self._lock, None
        self._opened.clear()
        if lock is not None:
            open_ones = [one.descriptor for one in self._segments if one.descriptor is not None]
            for descriptor in (lock, *open_ones):
                self._disk.close(descriptor)
        self._segments.clear()
        self._thread.shutdown(wait=False)

    # ---- in
    async def append(self, record: Spooled) -> None:
        """Return when the record lies on the medium; what comes while it opens waits for that. Raises NotSpooled."""
        if not self.is_open:
            await self._wait_until_open()
        if self._is_broken:
            raise NotSpooled("spool_broken")
        data = packed(record)
        if self.bytes_held + self._waiting_bytes + len(data) > self._bytes_max or len(data) > RECORD_BYTES_MAX:
            raise NotSpooled("spool_full")
        one = _Waiting(data, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._waiting_bytes += len(data)
        if self._rounds is None or self._rounds.done():
            # One task as long as somebody waits: a sync for all who came while the last one ran.
            self._rounds = asyncio.get_running_loop().create_task(self._sync_rounds(), name="spool-sync")
        try:
            async with asyncio.timeout(APPEND_SECONDS):
                await one.synced
        except TimeoutError as error:
            raise NotSpooled("spool_slow") from error

    async def _wait_until_open(self) -> None:
        try:
            async with asyncio.timeout(APPEND_SECONDS):
                await self._opened.wait()
        except TimeoutError as error:
            raise NotSpooled("spool_off") from error

    async def _sync_rounds(self) -> None:
        while self._waiting:
            all_of_them, self._waiting = self._waiting, []
            taken = [one for one in all_of_them if not one.synced.done()]  # the others were told 503 already
            failure: NotSpooled | None = NotSpooled("spool_slow")
            try:
                failure = await self._write_and_sync(taken)
            finally:
                self._waiting_bytes -= sum(len(one.data) for one in all_of_them)
                for one in taken:
                    if not one.synced.done():
                        one.synced.set_exception(failure) if failure else one.synced.set_result(None)
                self.measure()

    async def _write_and_sync(self, taken: list[_Waiting]) -> NotSpooled | None:
        """Make the records of one round durable, or say why they are not."""
        if self._is_broken or not taken:
            return NotSpooled("spool_broken")
        segment, failure = await self._segment_to_write()
        if segment is None or segment.descriptor is None:
            return failure
        self._writing = segment  # so that nobody deletes it meanwhile
        try:
            return await self._written(segment, segment.descriptor, taken)
        finally:
            self._writing = None

    async def _written(self, segment: Segment, descriptor: int, taken: list[_Waiting]) -> NotSpooled | None:
        data, start = b"".join([one.data for one in taken]), segment.length
        try:
            await self._run(lambda: self._disk.write(descriptor, data, at=start))
        except OSError as error:
            return await self._undo(segment, error)
        await announce("spool:after_append")
        await announce("spool:before_sync")
        try:
            await self._run(lambda: self._disk.sync(descriptor))
        except OSError as error:
            return self._break(error)
        await announce("spool:after_sync")
        segment.length += len(data)
        segment.records += len(taken)
        return None

    async def _segment_to_write(self) -> tuple[Segment | None, NotSpooled | None]:
        """The last segment while it has room, else a new one."""
        last = self._segments[-1] if self._segments else None
        if last is not None and last.descriptor is not None and last.length < self._segment_bytes:
            return last, None
        file = self._folder / f"{self._next_number:016d}{SUFFIX}"
        try:
            descriptor = await self._run(lambda: self._disk.create(file))
        except OSError as error:
            return None, self._full(error)
        self._next_number += 1
        try:
            await self._run(lambda: self._disk.sync_folder(self._folder))
        except OSError as error:
            return None, self._break(error)
        if last is not None and last.descriptor is not None:
            self._disk.close(last.descriptor)
            last.descriptor = None
        segment = Segment(file, clock.monotonic(), descriptor)
        self._segments.append(segment)
        return segment, None

    async def _undo(self, segment: Segment, error: OSError) -> NotSpooled:
        """Cut off what a full disk took of a round, so that the bound stays true."""
        try:
            await self._run(lambda: self._disk.cut(segment.file, segment.length))
        except OSError as second:
            return self._break(second)
        return self._full(error)

    def _full(self, error: OSError) -> NotSpooled:
        log.error("spool_not_written", reason=error.strerror)
        return NotSpooled("spool_full")

    def _break(self, error: OSError) -> NotSpooled:
        self._is_broken = True
        log.critical("spool_broken", reason=error.strerror)
        return NotSpooled("spool_broken")

    # ---- out
    async def oldest(self, *, records_max: int) -> list[Spooled]:
        """The oldest deliveries not yet acknowledged, at least one when there is any, of one segment."""
        await self._forget_drained()
        if not self._segments or not self._segments[0].length:
            return []
        segment = self._segments[0]
        start, end = segment.drained, segment.length  # as it is now: it grows while the thread reads
        if start == end:  # all of it is drained, and the next round is being written to it
            return []
        found, length = await self._run(lambda: read_records(self._disk, segment.file, start, end))
        if not found:  # the medium lost what it had confirmed: nothing behind it can be found again
            log.error("spool_damaged", bytes=end - start)
            segment.drained = end
            return await self.oldest(records_max=records_max)
        if len(found) > records_max:
            found = found[:records_max]
            length = sum(len(packed(one)) for one in found)
        self._window = (start + length, len(found))
        return found

    async def acknowledge(self) -> None:
        """What `oldest` gave out last lies in Kafka; a segment of which that holds for all is deleted."""
        self._segments[0].drained = self._window[0]
        await self._forget_drained()
        self.measure()

    async def set_aside(self, record: Spooled) -> Path:
        """Keep in a file of its own what Kafka will never take; then it may be acknowledged. Raises OSError."""
        return await self._run(lambda: write_aside(self._disk, self._folder, record))

    async def _forget_drained(self) -> None:
        while self._segments and self._is_done(self._segments[0]):
            segment = self._segments.popleft()
            if segment.descriptor is not None:
                self._disk.close(segment.descriptor)
                segment.descriptor = None  # the number may be somebody else's from here on
            await announce("spool:before_delete")
            try:
                await self._run(lambda one=segment: self._disk.delete(one.file))  # type: ignore[misc]  # bound now
            except OSError as error:  # sent again after the next start, and known there as a repeat
                log.error("spool_segment_left", file=segment.file.name, reason=error.strerror)

    def _is_done(self, segment: Segment) -> bool:
        return 0 < segment.length == segment.drained and segment is not self._writing

    async def _run(self, call: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
