"""Batches that meet on the same people lose nothing and double nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

from services.scoring.store.encoding import member_from
from services.scoring.store.ledger import LEDGER
from services.scoring.usecases.score_accounts import score_accounts
from services.scoring.usecases.score_leads import fold_events, recheck_leads
from shared.contracts.envelope import Event
from shared.db.engine import Database, is_transient, reading, transaction
from shared.db.ledger import find_gaps
from shared.errors import Busy
from tests.integration.scoring.desk import ScoringDesk
from tests.support.builders.scoring import activity, consent, lead_id, linked, merged, profile, split

LEADS = [f"l{number}" for number in range(12)]
TRIES_MOST = 50


async def _persist(database: Database, desk: ScoringDesk, events: Sequence[Event[Any]]) -> int:
    """One batch, again while a tree grew or the database asks for it, as the consumer does; returns the tries."""
    for tries in range(1, TRIES_MOST):
        try:
            async with transaction(database, "batch") as tx:
                await fold_events(tx, events, desk=desk.desk)
        except Busy:
            continue
        except Exception as error:
            if not is_transient(error):
                raise
            continue
        return tries
    raise AssertionError("the batch never went through")


async def test_rival_batches_merges_and_splits_lose_nothing(desk: ScoringDesk) -> None:
    for lead in LEADS:
        await desk.feed(consent(lead), profile(lead), linked(lead, "acme"))
    database = Database(desk.url, pool_size=6)

    async def activities(worker: int) -> None:
        for number in range(25):
            events = [
                activity(
                    LEADS[(worker * 5 + number * step) % len(LEADS)],
                    "email_click",
                    number=worker * 1000 + number * 10 + step,
                )
                for step in range(1, 5)
            ]
            await _persist(database, desk, events)

    async def moves() -> None:
        for number in range(15):
            one, other = LEADS[number % 6], LEADS[6 + number % 6]
            await _persist(database, desk, [merged(one, other, version=2 * number + 1)])
            await _persist(database, desk, [split(one, other, version=2 * number + 2)])

    async def due() -> None:
        for _ in range(20):
            async with transaction(database, "rechecks") as tx:
                await score_accounts(tx, desk=desk.desk)
            async with transaction(database, "rechecks") as tx:
                await recheck_leads(tx, desk=desk.desk)

    async with asyncio.TaskGroup() as group:
        for worker in range(3):
            group.create_task(activities(worker))
        group.create_task(moves())
        group.create_task(due())
    rows = await desk.rows("select lead_id, root_id, state from lead")
    counted = sum(tally.times for row in rows for tally in member_from(row.lead_id, row.state).sums.tallies.values())
    (kept,) = await desk.rows("select count(*) as kept from activity")
    assert counted == kept.kept == 3 * 25 * 4
    assert {row.root_id for row in rows} == {lead_id(lead) for lead in LEADS}
    async with reading(database) as tx:
        assert await find_gaps(tx, LEDGER) == []
    await database.close()
