"""One partition of one consumer: its buffer, and its records carried out batch by batch as the flow says.

Knows no Kafka. The consumer fills it and seeks; here a batch becomes transactions, failures become retries, halves
and parked events, and a position that is not ours any more becomes the wish to be opened again. A batch in which
nothing is handled here costs no transaction: `progress` is told of it with the next batch, or after a second; a
restart reads it over.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from shared.clock import monotonic
from shared.db.engine import Database, is_retryable, is_transient
from shared.errors import Fatal
from shared.ids import jitter
from shared.stream import flow
from shared.stream.batch import Applied, Fenced, Position, apply_batch, mark_start, move_on, park_one
from shared.stream.decode import Fetched, Received, receive
from shared.stream.flow import Breaker, Contiguity, Failure, Guard, Move, Work
from shared.stream.handlers import Handlers, ParkError
from shared.stream.parked import TooManyParked
from shared.stream.verdicts import Verdict, verdict_of
from shared.telemetry import announce, count, log, observe

__all__ = ["BATCH_SECONDS", "Health", "Partition"]

T = TypeVar("T")

# Below the watchdog's 15 s and half of max_poll_interval_ms: a longer one would loop for ever on the same records.
BATCH_SECONDS = 10.0
SKIPPED_SECONDS = 1.0  # how long the position may not know of skipped records


@dataclass
class Health:
    """What the partitions of one consumer share: the breaker, the counts, and the moment anything last moved."""

    breaker: Breaker
    handled: int = 0
    moved_at: float = 0.0

    def moved(self) -> None:
        """Note progress, for the watchdog."""
        self.moved_at = monotonic()


class Partition:
    """One assigned partition. `fetched` takes records, `run` applies them until `close`."""

    def __init__(
        self,
        position: Position,
        handlers: Handlers,
        *,
        database: Database,
        slots: asyncio.Semaphore,
        health: Health,
    ) -> None:
        self.position = position
        self.next_offset = -1  # the offset the next batch begins at; -1: not open
        self.is_open = False
        self.is_closed = False
        self.is_waiting = False  # in back-off, or trying again after one: no reason for the watchdog
        self.is_busy = False  # a batch is being carried out: not the moment to open it again
        self.committed_offset: int | None = None  # not told to Kafka yet
        self.stopped_because: str | None = None
        self.is_stop_noted = False
        self._handlers = handlers
        self._database = database
        self._slots = slots
        self._health = health
        self._buffer: deque[Fetched] = deque()
        self._fetch_next = -1
        self._size = flow.BATCH_MAX
        self._must_mark = True
        self._arrived = asyncio.Event()
        self._thrown_at: int | None = None
        self._stands_at = -1  # as `progress` says; behind next_offset by what was skipped and is not told yet
        self._skipped_at: float | None = None  # when the first of those was skipped

    # ---- called by the poll task
    def open_at(self, offset: int) -> None:
        """Begin (again) at the offset `progress` names. Only while `run` waits, or before it runs."""
        self._buffer.clear()
        self.next_offset = self._fetch_next = self._stands_at = offset
        self.is_open, self._must_mark, self._skipped_at = True, True, None

    @property
    def skipped_to(self) -> int:
        """Up to which offset `progress` does not know yet that it skipped; 0 when it knows all."""
        return self.next_offset if self.is_open and self._skipped_at is not None else 0

    @property
    def has_room(self) -> bool:
        """Whether more records may be fetched: at most one batch is applied and one waits."""
        return self.is_open and len(self._buffer) * 2 < self._size

    def fetched(self, records: Sequence[Fetched]) -> bool:
        """Take records (not empty) in offset order.

        False: they do not follow on, were thrown away, and it must be opened.
        """
        first, last = records[0].offset, records[-1].offset
        fits = flow.contiguity(first, last, records=len(records), expected=self._fetch_next)
        if fits is not Contiguity.WHOLE:
            self.is_open = False
            self._buffer.clear()
            if self._thrown_at == self.next_offset:
                self.stop(f"gap: after offset {self.next_offset} came {first}, twice")
            self._thrown_at = self.next_offset
            return False
        self._buffer.extend(records)
        self._fetch_next = records[-1].offset + 1
        self._arrived.set()
        return True

    @property
    def is_stopped(self) -> bool:
        """Whether it waits for a person."""
        return self.stopped_because is not None

    def stop(self, reason: str) -> None:
        """Take no more records until a person cleared the reason in `progress`."""
        self.stopped_because = reason
        self.is_open = False

    def close(self) -> None:
        """End `run` after the transaction it is in."""
        self.is_closed = True
        self.is_open = False
        self._arrived.set()

    # ---- the apply task
    async def run(self) -> None:
        """Apply what arrives until closed."""
        while not self.is_closed:
            if self._skipped_at is not None and monotonic() - self._skipped_at >= SKIPPED_SECONDS:
                await self._tell_skipped()
            if not self._buffer:
                await self._wait_for_more()
                continue
            batch = [self._buffer.popleft() for _ in range(min(self._size, len(self._buffer)))]
            self.is_busy = True
            await announce("batch:after_fetch")
            await self._carry_out(batch)
            self.is_busy = False
        await self._tell_skipped()

    async def _wait_for_more(self) -> None:
        """Wait for records, or for the moment to tell of skipped ones."""
        self._arrived.clear()
        until = None if self._skipped_at is None else max(0.0, self._skipped_at + SKIPPED_SECONDS - monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(until):
                await self._arrived.wait()

    async def _carry_out(self, batch: Sequence[Fetched]) -> None:
        place = self.position.place
        received = [receive(self._handlers, record, place=place) for record in batch]
        if all(one.usecase is None and one.flaw is None for one in received):
            self._skip(received)
            return
        try:
            guard = await self._guarded(received[0].record.offset)
            work = flow.begin(len(received), guard=guard)
            if guard is Guard.PARK:
                verdict = Verdict("crash_loop", "The process died each time this event was being applied.")
            else:
                verdict = Verdict("", "")
            while work.move is not Move.DONE and not self.is_closed and not self._health.breaker.is_open:
                work, verdict = await self._step(work, received, verdict, is_counting=guard is not Guard.WHOLE)
        except Fenced:
            self._lost()
        except TooManyParked as reason:
            self._buffer.clear()
            self.stop(str(reason))
        except Exception as error:
            if not (self.is_closed and is_transient(error)):
                raise
            log.info("closed_in_outage", place=self.position.place, reason=type(error).__name__)

    async def _step(
        self, work: Work, received: Sequence[Received], verdict: Verdict, *, is_counting: bool
    ) -> tuple[Work, Verdict]:
        part = received[work.first.start : work.first.stop]
        if work.move is Move.BACK_OFF:
            await self._back_off(work)
            if self.is_closed:
                return work, verdict
        elif is_counting and work.first.start > 0 and work.failures == 0:
            await self._mark(part[0].record.offset)
        try:
            async with self._slots, asyncio.timeout(BATCH_SECONDS):
                if verdict.slug:
                    await self._park(part[0], verdict)
                else:
                    await self._apply(part)
        except (Fatal, Fenced, TooManyParked):
            raise
        except ParkError as error:
            return self._after(work, verdict_of(error), park_at_once=True)
        except Exception as error:  # noqa: BLE001 - the consumer is one of the two places
            return self._after_exception(work, error, verdict)
        self.is_waiting = False
        return flow.succeeded(work), Verdict("", "")

    def _after_exception(self, work: Work, error: Exception, verdict: Verdict) -> tuple[Work, Verdict]:
        if is_retryable(error):
            count("baton_batches_total", end="transient")
            log.warning("batch_waits", place=self.position.place, reason=type(error).__name__, again=work.transient + 1)
            return flow.failed(work, Failure.TRANSIENT), verdict
        if verdict.slug:
            log.exception("parking_failed", place=self.position.place, exc_info=error)
            raise TooManyParked(f"parking failed: {verdict_of(error).detail}") from error
        if len(work.first) == 1:
            log.exception("event_failed", place=self.position.place, exc_info=error)
        return self._after(work, verdict_of(error), park_at_once=False)

    def _after(self, work: Work, found: Verdict, *, park_at_once: bool) -> tuple[Work, Verdict]:
        self.is_waiting = False
        count("baton_batches_total", end="failed")
        after = flow.failed(work, Failure.DETERMINISTIC, park_at_once=park_at_once)
        return after, found if after.move is Move.PARK else Verdict("", "")

    async def _apply(self, part: Sequence[Received]) -> None:
        started = monotonic()
        applied = await apply_batch(self._database, self.position, part, stands_at=self._stands_at)
        seconds = monotonic() - started
        observe("baton_batch_seconds", seconds)
        self._size = flow.next_batch_size(self._size, seconds=seconds, records=len(part))
        self._moved(part, applied)
        self._health.breaker = self._health.breaker.handled(len(part))

    async def _park(self, one: Received, verdict: Verdict) -> None:
        kept = await park_one(self._database, self.position, one, verdict, stands_at=self._stands_at)
        log.error("event_parked", event_id=str(one.event_id), type=one.event_type, reason=verdict.slug, kept=kept)
        self._moved([one], Applied(0, 0, 0))
        count("baton_consumed_events_total", verdict="parked")
        self._health.breaker = self._health.breaker.parked(is_ours=verdict.is_ours)

    def _moved(self, part: Sequence[Received], applied: Applied) -> None:
        self._stands_at = self.next_offset = self.committed_offset = part[-1].record.offset + 1
        self._thrown_at = self._skipped_at = None
        self._note(len(part), applied)
        count("baton_batches_total", end="committed")

    def _skip(self, received: Sequence[Received]) -> None:
        """Pass records that nobody here handles; `progress` is told later."""
        self.next_offset = received[-1].record.offset + 1
        self._skipped_at = monotonic() if self._skipped_at is None else self._skipped_at
        self._health.breaker = self._health.breaker.handled(len(received))
        self._note(len(received), Applied(0, 0, len(received)))

    def _note(self, records: int, applied: Applied) -> None:
        self._health.handled += records
        self._health.moved()
        verdicts = {"handled": applied.handled, "repeat": applied.repeats, "skipped": applied.skipped}
        for verdict, number in verdicts.items():
            if number:
                count("baton_consumed_events_total", number, verdict=verdict)

    async def _tell_skipped(self) -> None:
        """Tell `progress` of what was skipped. While PostgreSQL is away: again in a second."""
        if self._skipped_at is None:
            return
        self.is_busy = True
        try:
            await self._move_on()
        except Fenced:
            self._lost()
        except Exception as error:
            if not is_transient(error):
                raise
            log.info("skipped_not_told", place=self.position.place, reason=type(error).__name__)
            self._skipped_at = monotonic()
        self.is_busy = False

    async def _move_on(self) -> None:
        async with self._slots, asyncio.timeout(BATCH_SECONDS):
            await move_on(self._database, self.position, stands_at=self._stands_at, next_offset=self.next_offset)
        self._stands_at = self.committed_offset = self.next_offset
        self._skipped_at = None

    def _lost(self) -> None:
        """The position is not ours: it is opened again where `progress` says."""
        count("baton_batches_total", end="fenced")
        self.is_open = False
        self._skipped_at = None
        self._buffer.clear()

    async def _guarded(self, offset: int) -> Guard:
        """Note the start of the first batch after an opening, and what the crash-loop guard makes of it."""
        if not self._must_mark:
            return Guard.WHOLE
        if self._skipped_at is not None:  # starts are counted where a restart begins
            await self._patiently(self._move_on)
        starts = await self._mark(offset)
        self._must_mark = False
        return flow.crash_guard(starts)

    async def _mark(self, offset: int) -> int:
        return await self._patiently(lambda: mark_start(self._database, self.position, offset))

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call returns, once PostgreSQL is there."""
        transient = 0
        while True:
            try:
                return await call()
            except Exception as error:
                if not is_transient(error) or self.is_closed:
                    raise
                transient += 1
                await self._back_off(Work((flow.Slice(0, 1),), Move.BACK_OFF, transient))

    async def _back_off(self, work: Work) -> None:
        self.is_waiting = True
        try:
            async with asyncio.timeout(flow.back_off_seconds(work.transient, jitter=jitter())):
                while not self.is_closed:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            pass
