"""A fresh ingest database with two sources, per test."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from shared.db.engine import Database
from tests.integration.ingest.stage import IngestStage


@pytest_asyncio.fixture
async def stage(database_of: Callable[[str], Awaitable[str]]) -> AsyncIterator[IngestStage]:
    database = Database(await database_of("ingest"), pool_size=6)
    yield await IngestStage(database).prepare()
    await database.close()
