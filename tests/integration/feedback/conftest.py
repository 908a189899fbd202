"""A fresh feedback database with its use cases and routes, per test."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from tests.integration.feedback.desk import FeedbackDesk, feedback_desk
from tests.support.builders.feedback import START


@pytest_asyncio.fixture
async def desk(database_of: Callable[[str], Awaitable[str]]) -> AsyncIterator[FeedbackDesk]:
    found = await feedback_desk(await database_of("feedback"), at=START)
    yield found
    await found.close()
