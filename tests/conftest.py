"""Starts the real servers once per run and hands out their addresses and cloned databases.

Fixtures: `postgres_url`, `kafka` (session; addresses) · `database_of` (async: service -> URL of a fresh migrated
clone) · `baton_stack` (session; see tests/support/stack.py) · `empty_database` (URL; runtime tables only) ·
`topic_prefix` (unique, ends with a dot).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from shared.ids import new_id
from tests.support.databases import Databases
from tests.support.servers import Servers
from tests.support.stack import BatonStack, running_stack

# Tiers that never ask for a server: a run of only these starts none before its workers.
_PURE_TIERS = {"unit", "property", "architecture"}
_SERVERS = pytest.StashKey[Servers]()

# A check that is repeated says the same, however busy its machine: the same examples, and no deadline for one of them.
# `.venv/bin/pytest --hypothesis-profile=explore tests/property` draws new ones.
settings.register_profile("check", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("check")


def pytest_configure(config: pytest.Config) -> None:
    """In the controller of a run with workers, start the servers before the workers are.

    Alone, they start when asked for.
    """
    config.stash[_SERVERS] = servers = Servers()
    is_controller_of_workers = bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")
    if is_controller_of_workers and not config.option.collectonly and not _is_pure(config):
        servers.start_all()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what this process started; a worker started nothing."""
    config.stash[_SERVERS].stop()


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    return pytestconfig.stash[_SERVERS].postgres_url()


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> str:
    return pytestconfig.stash[_SERVERS].kafka()


@pytest_asyncio.fixture
async def database_of(postgres_url: str) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """`await database_of("handoff")` -> URL of a database of this test alone, dropped afterwards."""
    databases = Databases(postgres_url)
    yield databases.of
    await databases.drop_all()


@pytest_asyncio.fixture
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    databases = Databases(postgres_url)
    yield await databases.empty()
    await databases.drop_all()


@pytest_asyncio.fixture(scope="session")
async def baton_stack() -> AsyncIterator[BatonStack]:
    """All five services with their own servers, shared by the end-to-end tests of a process."""
    async with running_stack() as stack:
        yield stack


@pytest.fixture
def topic_prefix() -> str:
    """Names the topics of one test, so that tests sharing the broker never read each other's events."""
    return f"t{new_id().hex}."


def _is_pure(config: pytest.Config) -> bool:
    """Whether all paths given lie in tiers that need no server."""
    tests = Path(__file__).parent
    paths = [Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args]
    return all(
        path.is_relative_to(tests) and path != tests and path.relative_to(tests).parts[0] in _PURE_TIERS
        for path in paths
    )
