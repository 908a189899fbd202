"""The due-clock loop: fires what is due, follows reps that moved, notices outages and jumps of the database's clock.

The table is the truth and a wake-up only a hint; between polls a low-water mark keeps dead index entries out of the
way. Sleeps until the next due instant, at most a second. Two of these may run: the claim waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.handoff.store import absences, agreements, clocks, outages, reps
from services.handoff.store.outages import OUTAGE_SECONDS, Beat
from services.handoff.usecases.firing import (
    POSTPONED_AT_ONCE,
    fire_due,
    follow_move,
    move_absences,
    postpone_outage,
)
from shared.clock import monotonic
from shared.db.engine import Database, ReadTx, reading, transaction
from shared.db.standing import Due
from shared.ids import UserId, new_id
from shared.runtime.pace import Pace
from shared.telemetry import announce, gauge, log

__all__ = ["ClockLoop", "clocks_standing", "way_beats"]

# Every so often a poll without the low-water mark: it finds what was locked or armed late (RELIABILITY 3.6).
SWEEP_SECONDS = 5.0
JUMP_BACK_SECONDS, JUMP_AHEAD_SECONDS = 2.0, 30.0
# After an outage people are not flooded: so many firings a round, one round a second.
CATCH_UP_AT_ONCE = 50
# What is due but locked is looked at again this soon, without spinning.
HELD_UP_SECONDS = 0.05
# A way in which reps act beats this often: three may be missed before it is an outage.
WAY_BEAT_SECONDS = 20.0
_MOVED_AT_ONCE = 20
# From so many on the next batch is claimed while the last one is written: below, a look costs more than it brings.
_OVERLAPPED_FROM = 8
# Then the loop looks up again: it must beat, sweep and follow reps also while a backlog lasts.
_BATCHES_A_TURN = 8
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _Mark:
    """Where the loop stands: what it need not look below, and when it swept and beat last (machine seconds)."""

    low_water: datetime = _EVER
    swept_at: float = float("-inf")
    beaten_at: float | None = None
    is_catching_up: bool = False
    is_held_up: bool = False  # what is due is locked by somebody who stops or moves it
    seen: "_Seen | None" = None  # by the end of the last turn, when only rungs were due: the next need not look again


class _Batch:
    """One claim on its way: whether all of it is decided and only to be written, and how many it claimed."""

    def __init__(self) -> None:
        self.is_decided = asyncio.Event()
        self.claimed = 0

    def decided(self, claimed: int) -> None:
        """Let the next one begin."""
        self.claimed = claimed
        self.is_decided.set()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look found: the next firing, reps that moved, whether anything is due, and what follows."""

    fire_at: datetime | None
    moved: tuple[tuple[UserId, str], ...]
    is_absence_due: bool
    is_due: bool
    following: datetime | None


class ClockLoop:
    """One loop; `run` is what the runtime calls."""

    def __init__(self, database: Database, *, at_once: int) -> None:
        self._database = database
        self._at_once = at_once
        self._mark = _Mark()
        self._name = str(new_id())

    async def run(self, pace: Pace) -> None:
        """Until asked to stop."""
        due: datetime | None = _EVER
        while await pace.until(due):
            await announce("clocks:tick")
            due = await self.turn()
            if self._mark.is_catching_up:
                await pace.until(None)
            elif self._mark.is_held_up:
                await pace.until(None, at_most_seconds=HELD_UP_SECONDS)

    async def turn(self) -> datetime | None:
        """Do all that is due now; the next moment something is due, or None. Nothing due costs one read."""
        mark = self._mark
        is_sweep = monotonic() - mark.swept_at >= SWEEP_SECONDS
        if is_sweep:
            await self._beat()
            mark.swept_at = monotonic()
        low_water = _EVER if is_sweep else mark.low_water
        seen, mark.seen = mark.seen, None
        if seen is None or is_sweep:
            async with reading(self._database) as tx:
                seen = await _look(tx, low_water)
        if not is_sweep and not seen.is_due:
            return seen.following
        await self._follow_moves(seen)
        limit = CATCH_UP_AT_ONCE if mark.is_catching_up else self._at_once
        fired = await self._fire(low_water, limit=limit)
        if fired >= limit:
            return _EVER
        mark.is_catching_up = False
        async with reading(self._database) as tx:
            seen = await _look(tx, low_water)
            mark.is_held_up = fired == 0 and seen.fire_at is not None and seen.fire_at <= tx.now
            if is_sweep:
                # Never past what is armed, nor past now: a clock armed later may be due earlier than all others.
                mark.low_water = min(seen.fire_at or tx.now, tx.now)
        if fired and seen.is_due and not seen.moved and not seen.is_absence_due:
            mark.seen = seen
        return seen.following

    async def _fire(self, low_water: datetime, *, limit: int) -> int:
        """Fire what is due, and what falls due meanwhile; how many the last claim found.

        While one batch is being written the next one is claimed and decided: two at most are under way.
        """
        batches = 1 if self._mark.is_catching_up else _BATCHES_A_TURN
        written: asyncio.Task[None] | None = None
        batch = _Batch()
        async with asyncio.TaskGroup() as group:
            for _ in range(batches):
                batch = _Batch()
                task = group.create_task(self._fire_batch(batch, low_water, limit), name="clocks-batch")
                await batch.is_decided.wait()
                if written is not None:
                    await written
                if batch.claimed < _OVERLAPPED_FROM:
                    break
                written = task
        return batch.claimed

    async def _fire_batch(self, batch: "_Batch", low_water: datetime, limit: int) -> None:
        try:
            async with transaction(self._database, "clocks") as tx:
                await fire_due(tx, low_water=low_water, limit=limit, decided=batch.decided)
        finally:
            batch.is_decided.set()

    async def _follow_moves(self, seen: _Seen) -> None:
        if seen.is_absence_due:
            async with transaction(self._database, "clocks") as tx:
                await move_absences(tx)
            async with reading(self._database) as tx:
                seen = await _look(tx, _EVER)
        for rep_id, how in seen.moved:
            async with transaction(self._database, "clocks") as tx:
                await follow_move(tx, rep_id, how)

    async def _beat(self) -> None:
        """Beat, and compare the database's clock with our own."""
        mark = self._mark
        beat = await beat_and_notice(self._database, "clocks", by=self._name)
        mark.is_catching_up = mark.is_catching_up or beat.machine_seconds > OUTAGE_SECONDS
        now = monotonic()
        if mark.beaten_at is not None and beat.is_own:
            jump = beat.machine_seconds - (now - mark.beaten_at)
            if jump < -JUMP_BACK_SECONDS or jump > JUMP_AHEAD_SECONDS:
                gauge("baton_clock_jump_seconds", jump)
                log.error("database_clock_jumped", seconds=round(jump, 1))
        mark.beaten_at = now


def way_beats(database: Database, name: str) -> Callable[[Pace], Awaitable[None]]:
    """A loop that beats for one way in which reps act (the API), so that its outage gives them their minutes too."""
    own = str(new_id())

    async def run(pace: Pace) -> None:
        while True:
            await beat_and_notice(database, name, by=own)
            if not await pace.until(at_most_seconds=WAY_BEAT_SECONDS):
                return

    return run


async def beat_and_notice(database: Database, name: str, *, by: str) -> Beat:
    """Beat; after a gap keep the outage and postpone what fell due in it."""
    async with transaction(database, "clocks") as tx:
        beat = await outages.beat(tx, name, by=by)
        ended_at = tx.now
        is_gap = beat.machine_seconds > OUTAGE_SECONDS and beat.world_before is not None
        if is_gap and beat.world_before is not None:
            log.warning("outage_noticed", way=name, seconds=round(beat.machine_seconds))
            await outages.note_outage(tx, name, start=beat.world_before, end=ended_at)
    if is_gap and beat.world_before is not None:
        touched = POSTPONED_AT_ONCE
        while touched >= POSTPONED_AT_ONCE:
            async with transaction(database, "clocks") as tx:
                touched = await postpone_outage(tx, start=beat.world_before, end=ended_at)
    return beat


async def clocks_standing(tx: ReadTx) -> Due:
    """What is due of clocks, absences, reps that moved and agreements, and the next moment something is."""
    due = await clocks.due_count(tx) + len(await reps.moved_reps(tx, limit=_MOVED_AT_ONCE))
    absence_at = await absences.next_absence_at(tx)
    due += absence_at is not None and absence_at <= tx.now
    due += await agreements.due_activation(tx) is not None
    moments = (await clocks.next_fire_at(tx), absence_at, await agreements.next_effective(tx))
    return Due(due, min((each for each in moments if each is not None), default=None))


async def _look(tx: ReadTx, low_water: datetime) -> _Seen:
    fire_at, absence_at, has_moved = await clocks.next_work(tx, low_water=low_water)
    moved = tuple(await reps.moved_reps(tx, limit=_MOVED_AT_ONCE)) if has_moved else ()
    is_absence_due = absence_at is not None and absence_at <= tx.now
    is_due = bool(moved) or is_absence_due or (fire_at is not None and fire_at <= tx.now)
    following = min((each for each in (fire_at, absence_at) if each is not None), default=None)
    return _Seen(fire_at, moved, is_absence_due, is_due, following)
