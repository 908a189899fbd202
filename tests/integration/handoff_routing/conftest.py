"""A handoff database with the outbound loop running on it, a world clock to move, and endpoints to receive."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet

from services.handoff.dispatches import DispatchLoop, GuardedWebhooks
from services.handoff.outbound.mail import MailServer, Person, SmtpServer
from services.handoff.store.attempts import DISPATCH_LEDGER
from services.handoff.store.endpoints import add_secret, insert_endpoint
from services.handoff.store.secrets import Wrapping
from services.handoff.usecases.delivering import Destinations
from shared.db.engine import Database, reading, transaction
from shared.db.ledger import find_gaps
from shared.errors import AppError, Busy
from shared.ids import EndpointId, LeadId, new_id
from shared.runtime import Pace
from shared.telemetry import Step, install_hook
from shared.web.client import AddressGuard, OutboundClient
from tests.integration.handoff_routing.smtp import Inbox, smtp_server
from tests.support.builders.handoff_routing import NOW
from tests.support.world import set_world

ON_ONE_MACHINE = AddressGuard(is_plain_allowed=True, ports=None, is_loopback_allowed=True)
SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


@dataclass
class Names:
    """Ingest as the loop sees it; it can be away."""

    known: dict[LeadId, Person] = field(default_factory=dict)
    is_away: bool = False
    asked: int = 0

    async def people(self, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, Person]:
        self.asked += 1
        if self.is_away:
            raise Busy("ingest does not answer now")
        return {one: self.known[one] for one in lead_ids if one in self.known}


@dataclass
class Ingest:
    """Ingest's internal port as the loop calls it; it answers by a script of errors, then well."""

    errors: list[AppError] = field(default_factory=list)
    called: list[tuple[str, Any]] = field(default_factory=list)

    async def call(self, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON
        self.called.append((f"{method} {path}", named["json"]))
        if self.errors:
            raise self.errors.pop(0)
        return {}


@dataclass
class Outbound:
    """The stage of one test: a database, its world time, and what the loop sends through."""

    url: str
    database: Database
    names: Names
    ingest: Ingest
    destinations: Destinations
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    pace: Pace | None = None

    async def advance(self, **by: float) -> None:
        """Move world time and wake the loop."""
        async with reading(self.database) as tx:
            at = tx.now + timedelta(**by)
        await set_world(self.url, at=at)
        if self.pace is not None:
            self.pace.wake()

    async def rows(self, sql: str, **values: Any) -> list[Any]:  # noqa: ANN401 - parameters of a statement
        async with reading(self.database) as tx:
            return list((await tx.execute(sql, values)).all())

    async def run(self, sql: str, **values: Any) -> None:  # noqa: ANN401 - parameters of a statement
        async with transaction(self.database, "command") as tx:
            await tx.execute(sql, values)

    async def until(self, sql: str, expected: list[tuple[Any, ...]]) -> None:
        """Wait until the query answers this, looked at after every commit of the loop, 15 s at most."""
        found: list[Any] = []
        try:
            async with asyncio.timeout(15):
                self.changed.clear()
                while (found := [tuple(row) for row in await self.rows(sql)]) != expected:
                    await self.changed.wait()
                    self.changed.clear()
        except TimeoutError:
            raise AssertionError(f"expected {expected}, still {found}") from None

    async def endpoint(self, url: str, *, secret: str = SECRET, **values: Any) -> EndpointId:  # noqa: ANN401 - columns
        columns = {
            "url": url, "description": "", "types": [], "pools": [], "products": [], "is_sharing": False,
            "notify_email": None, "rate_per_second": 50, **values,
        }  # fmt: skip
        wrapping = self.destinations.wrapping
        async with transaction(self.database, "command") as tx:
            made = await insert_endpoint(tx, columns, headers={}, by=None, wrapping=wrapping)
            await add_secret(tx, made, secret, overlap=timedelta(hours=24), wrapping=wrapping)
        return made

    async def dispatch(self, lane_id: UUID, *, event_id: UUID | None = None, body: str = "{}") -> UUID:
        made = new_id()
        await self.run(
            "insert into dispatch (id, lane_id, event_id, type, body, next_at, made_at)"
            " values (:id, :lane, :event, 'baton.handoff.assigned.v1', :body, baton_now(), baton_now())",
            id=made, lane=lane_id, event=event_id or new_id(), body=body,
        )  # fmt: skip
        return made

    @asynccontextmanager
    async def looping(self) -> AsyncIterator[None]:
        """The loop at work until the block ends."""
        self.pace = Pace()
        loop = DispatchLoop(self.database, self.destinations)
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(self.pace))
            try:
                yield
            finally:
                self.pace.stop()


@pytest_asyncio.fixture
async def outbound(database_of: Callable[[str], Awaitable[str]]) -> AsyncIterator[Outbound]:
    url = await database_of("handoff")
    await set_world(url, at=NOW)
    database = Database(url, pool_size=8)
    names, ingest, client = Names(), Ingest(), OutboundClient(ON_ONE_MACHINE)
    wrapping = Wrapping([Fernet.generate_key()])
    stage = Outbound(url, database, names, ingest, Destinations(GuardedWebhooks(client), names, ingest, wrapping))

    async def hook(step: Step) -> None:
        if step == "dispatch:after_commit":
            stage.changed.set()

    install_hook(hook)
    yield stage
    install_hook(None)
    async with reading(database) as tx:
        assert await find_gaps(tx, DISPATCH_LEDGER) == []
    await client.close()
    await database.close()


@pytest.fixture
def smtp() -> Iterator[tuple[SmtpServer, Inbox]]:
    with smtp_server() as made:
        yield made


def with_mail(stage: Outbound, server: MailServer | None) -> None:
    """Give the stage a mail server."""
    stage.destinations = replace(
        stage.destinations,
        mail_server=server,
        mail_from="baton@baton.example",
        console_url="https://baton.example",
        role_addresses={"marketing": "marketing@baton.example"},
    )
