"""The stage of the stream's tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.shared.stage import Stage, staged


@pytest_asyncio.fixture
async def stage(empty_database: str, kafka: str, topic_prefix: str) -> AsyncIterator[Stage]:
    async with staged(empty_database, kafka, topic_prefix) as made:
        yield made
