"""A batch takes a fixed number of statements, whatever it holds, and one that moves no score takes one."""

from typing import Any

import pytest

from services.scoring.usecases.score_leads import fold_events
from shared.contracts.envelope import Event
from shared.db.engine import transaction
from tests.integration.scoring.desk import ScoringDesk
from tests.support.builders.scoring import activity, consent, linked, profile
from tests.support.counting import CountingTx

NAMES = tuple(f"lead{number}" for number in range(20))


async def taken(desk: ScoringDesk, *events: Event[Any]) -> int:
    """How many statements a batch took."""
    async with transaction(desk.database, "batch") as tx:
        counting = CountingTx(tx.connection, now=tx.now)
        await fold_events(counting, events, desk=desk.desk)
        tx.pending += counting.pending
    return counting.statements


async def known(desk: ScoringDesk, *names: str) -> None:
    for name in names:
        await desk.feed(consent(name), profile(name), linked(name, "acme"))


@pytest.mark.parametrize("names", [NAMES[:1], NAMES])
async def test_a_batch_of_activities_takes_the_statements_of_one(desk: ScoringDesk, names: tuple[str, ...]) -> None:
    await known(desk, *names)
    # Kept, and nothing more: it is worth no points.
    assert await taken(desk, *(activity(name, "email_open") for name in names)) == 1
    # Append, lock, look beside, save.
    assert await taken(desk, *(activity(name, "email_click") for name in names)) == 4
    # And the past that a decision is dated and explained by.
    assert await taken(desk, *(activity(name, "demo_requested") for name in names)) == 5
    assert len(await desk.emitted("lead.qualified")) == len(names)


async def test_a_new_lead_is_made_with_one_statement_more(desk: ScoringDesk) -> None:
    await known(desk, "first")  # the terms are put together once a process
    assert await taken(desk, consent("new"), profile("new")) == 4  # nothing to look beside for: no account, no activity
    assert await taken(desk, linked("new", "acme")) == 4
