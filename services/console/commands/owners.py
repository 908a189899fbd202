"""The clients of the other services, one per port, and the questions the pages ask of them.

A question that is not answered in time is None: the page shows its own rows and says what is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.clock import monotonic
from shared.errors import AppError
from shared.telemetry import log
from shared.web.auth import Principal
from shared.web.service_client import ServiceClient

__all__ = ["Owners"]

ASK_SECONDS = 2.0  # a page is not held up longer by a part of it
REMEMBERED_SECONDS = 15.0


@dataclass
class _Remembered:
    """One answer kept for a moment."""

    value: Any = None
    until: float = 0.0


class Owners:
    """Clients by service, for the public and the internal port."""

    def __init__(self, public: Mapping[str, ServiceClient], internal: Mapping[str, ServiceClient]) -> None:
        self.public = dict(public)
        self.internal = dict(internal)
        self._consent = _Remembered()
        self._reps = _Remembered()

    async def ask(
        self, service: str, path: str, *, principal: Principal | None, params: Mapping[str, Any] | None = None
    ) -> Any:  # noqa: ANN401  # JSON of another service
        """A GET of a public route as this person; None when it is refused or not answered in time."""
        try:
            return await self.public[service].call(
                "GET", path, principal=principal, params=params, timeout_seconds=ASK_SECONDS
            )
        except AppError as error:
            log.info("question_not_answered", owner=service, slug=error.problem)
            return None

    async def score(
        self, lead_id: UUID, *, principal: Principal, at: datetime | None = None
    ) -> Mapping[str, Any] | None:
        """Scoring's explanation of a lead's score, now or as of a moment, with all its lines."""
        params = {"at": at.isoformat()} if at else None
        found = await self.ask("scoring", f"/v1/scores/{lead_id}", principal=principal, params=params)
        return found if isinstance(found, dict) else None

    async def routing_decision(self, decision_id: UUID, *, principal: Principal) -> Mapping[str, Any] | None:
        """Handoff's record of one routing decision."""
        found = await self.ask("handoff", f"/v1/routing-decisions/{decision_id}", principal=principal)
        return found if isinstance(found, dict) else None

    async def away_reps(self, *, principal: Principal) -> frozenset[UUID]:
        """Reps who are away or absent now; empty when handoff does not answer. Kept for a moment."""
        if self._reps.until <= monotonic():
            found = await self.ask("handoff", "/v1/reps", principal=principal)
            rows = found.get("reps", []) if isinstance(found, dict) else []
            away = frozenset(UUID(row["id"]) for row in rows if row.get("is_away") or row.get("is_absent"))
            self._reps = _Remembered(away, monotonic() + REMEMBERED_SECONDS)
        kept: frozenset[UUID] = self._reps.value
        return kept

    async def consent_default(self, *, principal: Principal) -> Mapping[str, Any] | None:
        """What unknown consent means, with its ETag; kept for a moment. None when ingest does not answer."""
        if self._consent.until > monotonic():
            kept: Mapping[str, Any] | None = self._consent.value
            return kept
        try:
            answer = await self.public["ingest"].send(
                "GET", "/v1/consent-default", principal=principal, timeout_seconds=ASK_SECONDS
            )
        except AppError:
            return None
        value = {**answer.json(), "etag": answer.headers.get("etag", "")} if answer.is_success else None
        self._consent = _Remembered(value, monotonic() + REMEMBERED_SECONDS)
        return value

    def forget_consent(self) -> None:
        """Ask again the next time: somebody answered."""
        self._consent = _Remembered()
