"""The loop of what is due by time: leads that cross, draws, rescans under new terms, accounts whose people changed.

Each round is three transactions of at most 500 pieces; several processes may run it, rows decide who does what. Sleeps
until the next due moment of the world, woken by batches of this process.
"""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from services.scoring.store.ledger import due_work
from services.scoring.usecases.score_accounts import score_accounts
from services.scoring.usecases.score_leads import Desk, recheck_leads, rescan_leads
from shared.clock import sleep
from shared.db.engine import Database, reading, transaction
from shared.runtime.pace import Pace
from shared.telemetry import announce

__all__ = ["rechecks"]

# A hot account is computed once in so many machine seconds, not once per batch of its people.
REST_SECONDS = 0.05


def rechecks(database: Database, desk: Desk) -> Callable[[Pace], Coroutine[Any, Any, None]]:
    """The loop, for `Runtime.loop`."""

    async def run(pace: Pace) -> None:
        is_running = True
        while is_running:
            if await _round(database, desk):
                await sleep(REST_SECONDS)
                is_running = not pace.is_stopping
            else:
                is_running = await pace.until(await _next_due(database))

    return run


async def _round(database: Database, desk: Desk) -> int:
    """One round; returns how many pieces were done."""
    done = 0
    for usecase in (recheck_leads, rescan_leads, score_accounts):
        done += await _once(database, desk, usecase)
    return done


async def _once(database: Database, desk: Desk, usecase: Callable[..., Awaitable[int]]) -> int:
    async with transaction(database, "rechecks") as tx:
        done = await usecase(tx, desk=desk)
        if done:
            await announce("rechecks:after_claim")
    return done


async def _next_due(database: Database) -> datetime | None:
    async with reading(database) as tx:
        return (await due_work(tx)).next_due_at
