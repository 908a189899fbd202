"""Drives feedback's use cases and routes on a real database.

Feed events, move the world, ask, read what was emitted.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
from fastapi import Request

from services.feedback.api import ROUTERS
from services.feedback.consumer import HANDLERS
from services.feedback.settings import Settings
from services.feedback.store.ledger import LEDGER
from services.feedback.tuner import Tuner
from services.feedback.usecases.agreements import keep_current
from services.feedback.usecases.outcomes import credit_due
from shared.config import Environment
from shared.db.engine import reading, transaction
from shared.db.ledger import RUNTIME_CHECKS, Gap, find_gaps
from shared.errors import Busy
from shared.ids import derived_id
from shared.web.app_factory import create_app
from shared.web.auth import Principal, Role
from tests.support.desk import ServiceDesk

__all__ = ["FeedbackDesk", "feedback_desk", "user"]


def user(name: str, role: Role) -> Principal:
    """A person who is signed in."""
    return Principal(kind="user", id=str(derived_id("test user", name)), role=role)


class FeedbackDesk(ServiceDesk):
    """Feedback's database with its routes, its tuner and what is periodic."""

    def __init__(self, url: str) -> None:
        super().__init__(url, HANDLERS)
        self.settings = Settings(
            environment=Environment.TEST, database_url=url, kafka_bootstrap_servers="none:0", retune_days=7
        )
        self.tuner = Tuner(self.settings, self.database)
        self.caller: Principal | None = user("rae", "revops")
        self.examples: list[dict[str, Any]] = []
        self.reps: set[UUID] | None = set()  # that handoff knows; None: it does not answer

    async def tick(self, *, at: datetime | None = None) -> None:
        """One round of everything periodic."""
        if at is not None:
            await self.at(at)
        async with transaction(self.database, "periodic") as tx:
            await keep_current(tx)
        async with transaction(self.database, "periodic") as tx:
            await credit_due(tx)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        by: Principal | None = None,
        key: str | None = None,
        **named: Any,  # noqa: ANN401
    ) -> httpx2.Response:
        """One request by a person (default: revops), with an idempotency key of its own unless one is given."""
        self.caller = by or user("rae", "revops")
        headers = {"idempotency-key": key or str(derived_id("test key", method, path, str(named), self.caller.id))}
        async with self._client() as client:
            return await client.request(method, path, headers=headers | named.pop("headers", {}), **named)

    async def get(self, path: str, **params: Any) -> Any:  # noqa: ANN401 - JSON
        """The JSON of a page."""
        answer = await self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def gaps(self) -> list[Gap]:
        """What the ledger finds."""
        async with reading(self.database) as tx:
            return await find_gaps(tx, [*(check for check in RUNTIME_CHECKS if check.part != "outbox"), *LEDGER])

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx2.AsyncClient]:
        async def authenticate(_: Request) -> Principal | None:
            return self.caller

        app = create_app(
            self.settings,
            ROUTERS,
            authenticate=authenticate,
            state={"database": self.database, "scoring": _Scoring(self), "handoff": _Handoff(self)},
            body_bytes=2 * 1024 * 1024,
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://feedback") as client:
            yield client


class _Scoring:
    """Scoring's answer to the examples of a draft, as the test sets it."""

    def __init__(self, desk: FeedbackDesk) -> None:
        self.desk = desk

    async def call(self, _method: str, _path: str, **_named: Any) -> Any:  # noqa: ANN401 - JSON of another service
        return {"products": [{"product": "default", "examples": self.desk.examples}]}


class _Handoff:
    """Handoff's answer to which reps it knows, as the test sets it."""

    def __init__(self, desk: FeedbackDesk) -> None:
        self.desk = desk

    async def call(self, _method: str, _path: str, *, json: Any, **_named: Any) -> Any:  # noqa: ANN401 - JSON
        if self.desk.reps is None:
            raise Busy("The service handoff does not answer now; try again in a moment.")
        return {"rep_ids": [each for each in json["rep_ids"] if UUID(each) in self.desk.reps]}


async def feedback_desk(url: str, *, at: datetime) -> FeedbackDesk:
    """A desk whose world stands at a moment, with the default agreement published and active."""
    desk = FeedbackDesk(url)
    await desk.tick(at=at)
    return desk


def lead_ids(answer: dict[str, Any]) -> list[UUID]:
    """The leads of a page."""
    return [UUID(each) for each in answer["lead_ids"]]
