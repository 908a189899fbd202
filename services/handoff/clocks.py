"""The due-clock loop: fires what is due, follows reps that moved, notices outages and jumps of the database's clock.

The table is the truth and a wake-up only a hint; between polls a low-water mark keeps dead index entries out of the
way. Sleeps until the next due instant, at most a second. Two of these may run: the claim waits for nobody.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.handoff.store import agreements, clocks, outages, reps
from services.handoff.usecases.firing import fire_due, follow_move, move_absences, postpone_outage
from shared.clock import monotonic
from shared.db.engine import Database, ReadTx, reading, transaction
from shared.db.standing import Due
from shared.ids import new_id
from shared.runtime.pace import Pace
from shared.telemetry import announce, gauge, log

__all__ = ["ClockLoop", "clocks_standing"]

# Every so often a poll without the low-water mark: it finds what was locked or armed late (RELIABILITY 3.6).
SWEEP_SECONDS = 5.0
# A gap longer than this without any clock loop is an outage.
OUTAGE_SECONDS = 60.0
JUMP_BACK_SECONDS, JUMP_AHEAD_SECONDS = 2.0, 30.0
# After an outage people are not flooded: so many firings a round, one round a second.
CATCH_UP_AT_ONCE = 50
_MOVED_AT_ONCE = 20
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _Mark:
    """Where the loop stands: what it need not look below, and when it swept and beat last (machine seconds)."""

    low_water: datetime = _EVER
    swept_at: float = float("-inf")
    beaten_at: float | None = None
    is_catching_up: bool = False


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

    async def turn(self) -> datetime | None:
        """Do all that is due now; the next moment something is due, or None."""
        mark = self._mark
        is_sweep = monotonic() - mark.swept_at >= SWEEP_SECONDS
        if is_sweep:
            await self._beat()
            mark.swept_at = monotonic()
        await self._follow_moves()
        limit = CATCH_UP_AT_ONCE if mark.is_catching_up else self._at_once
        async with transaction(self._database, "clocks") as tx:
            fired = await fire_due(tx, low_water=_EVER if is_sweep else mark.low_water, limit=limit)
        async with reading(self._database) as tx:
            oldest = await clocks.next_fire_at(tx)
            if is_sweep and fired < limit:
                # Never past what is armed, nor past now: a clock armed later may be due earlier than all others.
                mark.low_water = min(oldest or tx.now, tx.now)
            following = await _next_due(tx)
        if fired >= limit:
            return _EVER
        mark.is_catching_up = False
        return following

    async def _follow_moves(self) -> None:
        async with reading(self._database) as tx:
            absence_at = await reps.next_absence_at(tx)
            is_due = absence_at is not None and absence_at <= tx.now
        if is_due:
            async with transaction(self._database, "clocks") as tx:
                await move_absences(tx)
        async with reading(self._database) as tx:
            moved = await reps.moved_reps(tx, limit=_MOVED_AT_ONCE)
        for rep_id, how in moved:
            async with transaction(self._database, "clocks") as tx:
                await follow_move(tx, rep_id, how)

    async def _beat(self) -> None:
        """Beat, compare the database's clock with our own, and note an outage when nobody beat for long."""
        mark = self._mark
        async with transaction(self._database, "clocks") as tx:
            beat = await outages.beat(tx, "clocks", by=self._name)
            if beat.machine_seconds > OUTAGE_SECONDS and beat.world_before is not None:
                log.warning("clock_outage", seconds=round(beat.machine_seconds))
                await outages.note_outage(tx, "clocks", start=beat.world_before, end=tx.now)
                mark.is_catching_up = True
        now = monotonic()
        if mark.beaten_at is not None:
            jump = beat.machine_seconds - (now - mark.beaten_at)
            if beat.is_own and (jump < -JUMP_BACK_SECONDS or jump > JUMP_AHEAD_SECONDS):
                gauge("baton_clock_jump_seconds", jump)
                log.error("database_clock_jumped", seconds=round(jump, 1))
        mark.beaten_at = now
        if mark.is_catching_up and beat.world_before is not None:
            async with transaction(self._database, "clocks") as tx:
                await postpone_outage(tx, start=beat.world_before, end=tx.now)


async def clocks_standing(tx: ReadTx) -> Due:
    """What is due of clocks, absences, reps that moved and agreements, and the next moment something is."""
    due = await clocks.due_count(tx) + len(await reps.moved_reps(tx, limit=_MOVED_AT_ONCE))
    absence_at = await reps.next_absence_at(tx)
    due += absence_at is not None and absence_at <= tx.now
    due += await agreements.due_activation(tx) is not None
    return Due(due, await _next_due(tx))


async def _next_due(tx: ReadTx) -> datetime | None:
    moments = (await clocks.next_fire_at(tx), await reps.next_absence_at(tx), await agreements.next_effective(tx))
    return min((each for each in moments if each is not None), default=None)
