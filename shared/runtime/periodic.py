"""Supervises loops and runs what is periodic.

A loop that fails is run again after a back-off, for ever while the database is away.

One of the two places with `except Exception` (the other is the consumer). Ten failures in a row that are not the
database's end the process: a loop that always fails is a bad release, and a new process is the only other thing that
could help.
"""

import asyncio
from collections.abc import Awaitable, Callable

from shared.clock import monotonic, sleep
from shared.db.engine import Database, Tx, is_retryable, transaction
from shared.db.locks import try_lock
from shared.errors import Fatal
from shared.ids import jitter
from shared.runtime.pace import Pace
from shared.stream.flow import back_off_seconds
from shared.telemetry import gauge, log

__all__ = ["Run", "periodic_loop", "supervised", "watch_event_loop"]

Run = Callable[[Pace], Awaitable[None]]
FAILURES_MOST = 10
# A loop that ran this long before it failed starts its count of failures anew.
STEADY_SECONDS = 60.0
LAG_LOOK_SECONDS = 0.5
LAG_ALARM_SECONDS = 1.0


async def supervised(name: str, run: Run, pace: Pace) -> None:
    """Run a loop until it is asked to stop, again after every failure.

    Raises Fatal after FAILURES_MOST of our own in a row.
    """
    failures = 0
    while not pace.is_stopping:
        started = monotonic()
        try:
            await run(pace)
        except Fatal:
            raise
        except Exception as error:
            if monotonic() - started > STEADY_SECONDS:
                failures = 0
            is_ours = not is_retryable(error)
            failures += is_ours
            if is_ours:
                log.exception("loop_failed", loop=name, failures=failures)
            else:
                log.warning("loop_waits", loop=name, reason=type(error).__name__)
            if failures >= FAILURES_MOST:
                raise Fatal(f"The loop {name} failed {failures} times in a row: {type(error).__name__}.") from error
            await pace.until(at_most_seconds=back_off_seconds(failures + 1, jitter=jitter()))


def periodic_loop(seconds: float, name: str, usecase: Callable[[Tx], Awaitable[None]], *, database: Database) -> Run:
    """The loop behind `Runtime.every`."""

    async def run(pace: Pace) -> None:
        is_due = True
        while is_due:
            async with transaction(database, "periodic") as tx:
                if await try_lock(tx, name):
                    await usecase(tx)
            is_due = await pace.until(at_most_seconds=seconds)

    return run


async def watch_event_loop(stop: asyncio.Event) -> None:
    """Measure how late the event loop wakes.

    More than a second means something blocks it (CPU work belongs elsewhere).
    """
    while not stop.is_set():
        before = monotonic()
        await sleep(LAG_LOOK_SECONDS)
        lag = monotonic() - before - LAG_LOOK_SECONDS
        gauge("baton_loop_lag_seconds", max(0.0, lag))
        if lag > LAG_ALARM_SECONDS:
            log.error("event_loop_blocked", seconds=round(lag, 1))
