"""A console over a database of its own, with the services it asks as small HTTP servers or away."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest_asyncio
from fastapi import FastAPI
from joserfc.jwk import OKPKey

from services.console.app import site
from services.console.commands.owners import Owners
from services.console.commands.profiles import Profiles
from services.console.domain.records import UserRow
from services.console.domain.rights import Role
from services.console.pages.watching import Watching
from services.console.settings import Settings
from services.console.usecases.fold import fold_events
from services.console.usecases.people import NewUser, add_user, hashed
from shared.config import SERVICES, Environment
from shared.contracts.envelope import Event
from shared.db.engine import Database, transaction
from shared.web.auth import ServiceTokens
from shared.web.service_client import ServiceClient
from tests.support.builders.console import NOW
from tests.support.world import set_world

PASSWORD = "a long enough password"
ORIGIN = "http://console.test"
AWAY = "http://127.0.0.1:9"  # the discard port: nobody listens there


@dataclass
class Console:
    """The app with its database, and what a test does to it."""

    app: FastAPI
    database: Database
    watching: Watching
    settings: Settings
    cli_tokens: ServiceTokens

    async def fold(self, *events: Event[Any]) -> None:
        async with transaction(self.database, "batch") as tx:
            await fold_events(tx, list(events))

    async def user(self, name: str, role: Role = Role.REP, *, team_id: UUID | None = None) -> UserRow:
        async with transaction(self.database, "command") as tx:
            new = NewUser(f"{name.split(maxsplit=1)[0].lower()}@baton.test", name, role, team_id)
            return await add_user(tx, new, password_hash=await hashed(PASSWORD))

    @asynccontextmanager
    async def browser(self) -> AsyncIterator["Browser"]:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app), base_url=ORIGIN, follow_redirects=False
        ) as client:
            yield Browser(client)


@dataclass
class Browser:
    """A client that behaves as a browser does: cookies, Origin, the token of its page."""

    client: httpx2.AsyncClient
    csrf: str = ""

    async def sign_in(self, user: UserRow, password: str = PASSWORD) -> httpx2.Response:
        door = await self.client.get("/login")
        csrf = _between(door.text, 'name="csrf" value="', '"')
        answer = await self.client.post(
            "/login",
            data={"user_name": user.user_name, "password": password, "csrf": csrf},
            headers={"origin": ORIGIN},
        )
        if answer.status_code == 303:
            page = await self.client.get("/agreement")
            self.csrf = _between(page.text, '"X-CSRF-Token": "', '"')
        return answer

    async def press(self, path: str, form: dict[str, str], **headers: str) -> httpx2.Response:
        sent = {"origin": ORIGIN, "x-csrf-token": self.csrf, "hx-request": "true", **headers}
        return await self.client.post(path, data=form, headers=sent)


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


def _keys(names: Sequence[str]) -> dict[str, OKPKey]:
    return {name: OKPKey.generate_key("Ed25519") for name in names}


@pytest_asyncio.fixture
async def make_console(
    database_of: Callable[[str], Awaitable[str]],
) -> AsyncIterator[Callable[..., Awaitable[Console]]]:
    """`await make_console(handoff="http://...")`: addresses by service; those not named are away."""
    closing: list[Any] = []

    async def make(**addresses: str) -> Console:
        url = await database_of("console")
        await set_world(url, at=NOW)
        database = Database(url, pool_size=5, application_name="console-test", workload="api")
        keys = _keys([*SERVICES, "cli"])
        tokens = ServiceTokens("console", signing_key=keys["console"], public_keys=keys)
        clients = {name: ServiceClient(name, tokens=tokens, base_url=addresses.get(name, AWAY)) for name in SERVICES}
        owners = Owners(clients, clients)
        watching = Watching(database, Profiles(clients["ingest"]))
        settings = Settings(environment=Environment.TEST, database_url=url, kafka_bootstrap_servers="127.0.0.1:9")
        app = site(settings, database=database, tokens=tokens, owners=owners, watching=watching)
        closing.extend([*clients.values(), database])
        cli = ServiceTokens("cli", signing_key=keys["cli"], public_keys=keys)
        return Console(app, database, watching, settings, cli)

    yield make
    for one in closing:
        await one.close()
