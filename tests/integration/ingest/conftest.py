"""A fresh ingest database with two sources, per test; a folder whose syncs wait for no busy disk."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.places import scratch_folder
from shared.db.engine import Database
from tests.integration.ingest.stage import IngestStage


@pytest_asyncio.fixture
async def stage(database_of: Callable[[str], Awaitable[str]]) -> AsyncIterator[IngestStage]:
    database = Database(await database_of("ingest"), pool_size=6)
    yield await IngestStage(database).prepare()
    await database.close()


@pytest.fixture
def swift_folder() -> Iterator[Path]:
    """In memory where there is room: the spool gives a sync one second, which another test's disk may take."""
    folder = scratch_folder("baton-door-")
    yield folder
    shutil.rmtree(folder)
