"""A whole stack for end-to-end tests: PostgreSQL, Kafka and the five services as processes, on a movable world clock.

The same supervisor as `baton up`; it does not outlive the test run.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.standing import Standing, wait_until_quiet
from deploy.demo.world_clock import WorldClockHand
from deploy.local import stack, state
from deploy.local.guard import Guard
from deploy.local.operator import StackCalls, variables_of
from deploy.local.places import scratch_folder
from deploy.local.state import State
from shared.config import SERVICES
from shared.db.engine import Database

__all__ = ["BatonStack", "running_stack"]


@dataclass(slots=True)
class BatonStack:
    """A running stack: where it is, calls to it, and the hand on its clock (which runs at speed 1 until moved)."""

    home: Path
    calls: StackCalls
    hand: WorldClockHand

    @property
    def state(self) -> State:
        """The state file as it is now; services that were restarted have new process ids."""
        found = state.read(self.home)
        assert found is not None, "the stack is up"
        return found

    def url(self, service: str) -> str:
        """Base URL of a service's public port."""
        return self.state.services[service].url

    def internal_url(self, service: str) -> str:
        """Base URL of a service's second port."""
        return self.state.services[service].internal_url

    def database_url(self, service: str) -> str:
        """A service's own database, for tests that look behind the doors."""
        postgres = self.state.postgres
        assert postgres is not None, "the stack runs its own PostgreSQL"
        return f"{postgres.address}baton_{service}"

    async def quiet(self, *, within_seconds: float = 60) -> Standing:
        """Wait until everything sent so far has been handled everywhere."""
        return await wait_until_quiet(self.calls, within_seconds=within_seconds)


@asynccontextmanager
async def running_stack(*, variables: dict[str, str] | None = None) -> AsyncIterator[BatonStack]:
    """A stack of its own, ended and deleted afterwards."""
    home = scratch_folder("baton-stack-")
    guard = Guard()
    guard.sweep_stack(home)
    databases: list[Database] = []
    try:
        started = stack.up(home, environment="test", prepare="deploy.demo.prepare", variables=variables)
        assert started.postgres is not None
        databases = [Database(f"{started.postgres.address}baton_{service}", pool_size=1) for service in SERVICES]
        async with StackCalls(variables_of(started)) as calls:
            yield BatonStack(home, calls, WorldClockHand(databases, home / "world_clock.json"))
    finally:
        for database in databases:
            await database.close()
        stack.down(home)
        shutil.rmtree(home, ignore_errors=True)
        guard.release()
