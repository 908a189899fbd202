"""The loop of what is due by time: leads that cross, draws, rescans under new terms, accounts whose people changed.

Looks first: most wake-ups, one per batch, find nothing due, and then one read is all. A round is one transaction of at
most 500 pieces for each kind that waits, and one simulation, in a process of its own. Several processes may run the
loop, rows decide who does what. Sleeps until the next due moment of the world, woken by batches.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any
from uuid import UUID

from services.scoring.store.ledger import Waiting, waiting_work
from services.scoring.store.simulations import next_asked
from services.scoring.usecases.score_accounts import score_accounts
from services.scoring.usecases.score_leads import Desk, recheck_leads, rescan_leads
from services.scoring.usecases.simulate import fail_simulation, run_simulation
from shared.clock import sleep
from shared.db.engine import Database, is_transient, reading, transaction
from shared.runtime.pace import Pace
from shared.telemetry import announce

__all__ = ["rechecks"]

# Between two looks: each batch wakes the loop, and a hot account is computed once in so many machine seconds, not once
# per batch of its people.
REST_SECONDS = 0.1


def rechecks(database: Database, desk: Desk) -> Callable[[Pace], Coroutine[Any, Any, None]]:
    """The loop, for `Runtime.loop`."""

    async def run(pace: Pace) -> None:
        is_running = True
        while is_running:
            async with reading(database) as tx:
                seen = await waiting_work(tx)
            if await _round(database, desk, seen):
                is_running = not pace.is_stopping
            else:
                is_running = await pace.until(seen.next_due_at)
            if is_running:
                await sleep(REST_SECONDS)

    return run


async def _round(database: Database, desk: Desk, seen: Waiting) -> int:
    """One round over the kinds of work that wait; returns how many pieces were done."""
    done = 0
    for is_due, usecase in ((seen.leads, recheck_leads), (seen.rescans, rescan_leads), (seen.accounts, score_accounts)):
        if is_due:
            done += await _once(database, desk, usecase)
    return done + (await _simulate(database) if seen.simulations else 0)


async def _once(database: Database, desk: Desk, usecase: Callable[..., Awaitable[int]]) -> int:
    async with transaction(database, "rechecks") as tx:
        done = await usecase(tx, desk=desk)
        if done:
            await announce("rechecks:after_claim")
    return done


async def _simulate(database: Database) -> int:
    """Run the oldest simulation that waits, if there is one: minutes of CPU that must not hold this process's loop."""
    async with reading(database) as tx:
        simulation_id = await next_asked(tx)
    if simulation_id is None:
        return 0
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as worker:
        running = asyncio.get_running_loop().run_in_executor(worker, _in_worker, database.url, simulation_id)
        await asyncio.wait([running])
    error = running.exception()
    if error is not None and not is_transient(error):  # its own fault: answered, or it would be tried for ever
        async with transaction(database, "rechecks") as tx:
            await fail_simulation(tx, simulation_id, reason=type(error).__name__)
    return 1


def _in_worker(url: str, simulation_id: UUID) -> None:
    asyncio.run(_with_own_database(url, simulation_id))


async def _with_own_database(url: str, simulation_id: UUID) -> None:
    database = Database(url, pool_size=1)
    try:
        await run_simulation(database, simulation_id)
    finally:
        await database.close()
