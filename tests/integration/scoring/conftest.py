"""A fresh scoring database with its use cases, per test."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from tests.integration.scoring.desk import ScoringDesk, scoring_desk


@pytest_asyncio.fixture
async def desk(database_of: Callable[[str], Awaitable[str]]) -> AsyncIterator[ScoringDesk]:
    found = await scoring_desk(await database_of("scoring"))
    yield found
    await found.close()
