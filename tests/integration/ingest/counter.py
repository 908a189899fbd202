"""Ingest's routes in this process, with a proven caller: real tokens, a real database, deliveries handled at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
from cryptography.fernet import Fernet, MultiFernet
from joserfc.jwk import OKPKey

from services.ingest.api import ROUTERS
from services.ingest.api.internal import internal_router
from services.ingest.api.parked import parked_router
from services.ingest.api.parts import Parts
from services.ingest.collector.keep import record_headers
from services.ingest.settings import Settings
from services.ingest.usecases.mapping import Kept, nothing_kept
from shared.config import Environment
from shared.contracts.deliveries import DELIVERY_TYPE
from shared.errors import Busy
from shared.ids import new_id
from shared.stream.handlers import RawEvent
from shared.web.app_factory import create_app
from shared.web.auth import Principal, Role, ServiceTokens, by_service_token
from tests.integration.ingest.stage import HASHED, IngestStage


@dataclass
class Counter:
    """Calls routes as people of each role; `sent` are the deliveries that imports wrote, handled by `handle_sent`."""

    stage: IngestStage
    client: httpx2.AsyncClient
    console: ServiceTokens
    wrapping: MultiFernet
    sent: list[RawEvent] = field(default_factory=list)
    room: int | None = None
    """How many deliveries are kept until Kafka is away; None: all."""

    async def deliver(
        self, delivery_id: UUID, key: str, body: bytes, *, request: dict[str, object], received_at: datetime
    ) -> None:
        """Stands where the door's keeper stands; what it is given is handled when the test says so."""
        if self.room is not None and len(self.sent) >= self.room:
            raise Busy("Kafka is away.")
        headers = dict(record_headers(delivery_id, key, request, received_at))
        self.sent.append(RawEvent(delivery_id, DELIVERY_TYPE, key, body, headers))

    async def handle_sent(self) -> None:
        sent, self.sent = self.sent, []
        for one in sent:
            known = await self.stage.one("select count(*) from inbox where event_id = :id", id=one.id)
            if not known:
                await self.stage.handle(one)

    async def call(
        self,
        method: str,
        path: str,
        *,
        role: Role | None = "marketer",
        **options: Any,  # noqa: ANN401
    ) -> httpx2.Response:
        """One request with a fresh idempotency key; role None calls as the service `console` itself."""
        principal = None if role is None else Principal(kind="user", id=str(new_id()), role=role)
        headers = {
            "authorization": f"Bearer {self.console.make(audience='ingest', principal=principal)}",
            "idempotency-key": str(new_id()),
            **options.pop("headers", {}),
        }
        return await self.client.request(method, path, headers=headers, **options)

    async def get(self, path: str, *, role: Role | None = "marketer", **options: Any) -> Any:  # noqa: ANN401
        answer = await self.call("GET", path, role=role, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def opened(stage: IngestStage, *, kept: Kept = nothing_kept) -> AsyncIterator[Counter]:
    """The routes of both ports on one app."""
    key = OKPKey.generate_key("Ed25519")
    console = ServiceTokens("console", signing_key=key, public_keys={})
    ingest = ServiceTokens("ingest", signing_key=None, public_keys={"console": key})
    settings = Settings(environment=Environment.TEST, database_url=stage.database.url, kafka_bootstrap_servers="-")
    wrapping = MultiFernet([Fernet(Fernet.generate_key())])
    counter = Counter(stage, httpx2.AsyncClient(), console, wrapping)

    async def refreshed() -> None:
        """There is no door here that would have to know."""

    parts = Parts(stage.database, HASHED, wrapping, counter.deliver, "https://in.example.test", refreshed, kept)
    app = create_app(
        settings,
        [
            *ROUTERS,
            internal_router(parts),
            parked_router(parts),
        ],
        authenticate=by_service_token(ingest),
        state={"parts": parts},
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://ingest") as client:
        counter.client = client
        yield counter
