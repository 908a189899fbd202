"""Handoff's routes over ASGI, called as a given user: tokens are made and checked as between real services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
from joserfc.jwk import OKPKey

from services.handoff.api import INTERNAL_ROUTERS, ROUTERS
from services.handoff.settings import Settings
from shared.ids import new_id
from shared.web.app_factory import create_app
from shared.web.auth import Principal, Role, ServiceTokens, by_service_token
from tests.integration.handoff.world import World

__all__ = ["Caller", "callers"]


class Caller:
    """One principal's calls (None: the service's own); each POST has a key of its own unless one is given."""

    def __init__(self, client: httpx2.AsyncClient, tokens: ServiceTokens, principal: Principal | None) -> None:
        self._client = client
        self._token = tokens.make(audience="handoff", principal=principal)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self._client.get(path, headers=self._headers(headers))

    async def put(self, path: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
        return await self._client.put(path, json=body, headers=self._headers(headers))

    async def patch(self, path: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
        return await self._client.patch(path, json=body, headers=self._headers(headers))

    async def post(
        self, path: str, body: dict[str, Any] | None = None, *, etag: str | None = None, key: str | None = None
    ) -> httpx2.Response:
        more = {"idempotency-key": key or str(new_id())}
        if etag is not None:
            more["if-match"] = etag
        return await self._client.post(path, json=body, headers=self._headers(more))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"authorization": f"Bearer {self._token}", **named}


class Callers:
    """Makes callers for one app."""

    def __init__(self, client: httpx2.AsyncClient, tokens: ServiceTokens) -> None:
        self._client = client
        self._tokens = tokens

    def user(self, user_id: UUID, role: Role, team_id: UUID | None = None) -> Caller:
        principal = Principal(kind="user", id=str(user_id), role=role, team_id=team_id)
        return Caller(self._client, self._tokens, principal)

    def service(self) -> Caller:
        return Caller(self._client, self._tokens, None)

    def key(self, *scopes: str) -> Caller:
        principal = Principal(kind="key", id=str(new_id()), scopes=frozenset(scopes))
        return Caller(self._client, self._tokens, principal)


@asynccontextmanager
async def callers(world: World) -> AsyncIterator[Callers]:
    key = OKPKey.generate_key("Ed25519")
    console = ServiceTokens("console", signing_key=key, public_keys={})
    own = ServiceTokens("handoff", signing_key=None, public_keys={"console": key})
    settings = Settings(database_url=world.url, kafka_bootstrap_servers="127.0.0.1:1")
    app = create_app(
        settings,
        [*ROUTERS, *INTERNAL_ROUTERS],
        authenticate=by_service_token(own),
        state={"database": world.database, "ingest": None},
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://handoff") as client:
        yield Callers(client, console)
