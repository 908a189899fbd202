"""The second port of every service: health, metrics, parked events, how it stands, and the ledger. Never public."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Response
from pydantic import Field

from shared.config import ServiceSettings
from shared.db.engine import Database, is_transient, reading
from shared.db.ledger import RUNTIME_CHECKS, LedgerCheck, find_gaps
from shared.db.standing import StandingSource
from shared.errors import Busy, NotFound
from shared.stream import parked
from shared.stream.consumer import Consumer
from shared.stream.relay import outbox_waiting
from shared.telemetry import exposition, log
from shared.web.app_factory import Asked, create_app
from shared.web.auth import Principal, ServiceTokens, by_service_token, requires

__all__ = ["internal_app"]

PARKED_PAGE_MOST = 200
MEASURE_SECONDS = 2.0
_PUBLIC = Depends(requires("public"))


class Process(Protocol):
    """What the port shows of its process."""

    settings: ServiceSettings
    tokens: ServiceTokens
    consumers: list[Consumer]

    @property
    def readiness(self) -> dict[str, bool]:
        """Which part is ready."""


class _Discard(Asked):
    """Why a parked event is given up; kept with it."""

    reason: str = Field(min_length=3, max_length=500, description="shown to everybody who looks at it later")


def internal_app(
    runtime: Process,
    database: Database,
    *,
    routers: Sequence[APIRouter],
    standing: Sequence[StandingSource],
    ledger: Sequence[LedgerCheck],
) -> FastAPI:
    """The app of the internal port."""
    own = [_health(runtime, database), _parked(runtime, database), _standing(runtime, database, standing, ledger)]
    return create_app(
        runtime.settings,
        [*own, *routers],
        authenticate=by_service_token(runtime.tokens),
        state={"database": database},
        title=f"Baton {runtime.settings.service} (internal)",
    )


async def _measure(runtime: Process, database: Database) -> None:
    """Bring the gauges of what waits up to date; with PostgreSQL or Kafka away they keep their last value."""
    try:
        async with asyncio.timeout(MEASURE_SECONDS):
            async with reading(database) as tx:
                await outbox_waiting(tx)
            for consumer in runtime.consumers:
                await consumer.lag()
    except Exception as error:
        if not (isinstance(error, Busy) or is_transient(error)):
            raise
        log.warning("gauges_are_old", reason=type(error).__name__)


def _health(runtime: Process, database: Database) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz/live", dependencies=[_PUBLIC])
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/healthz/ready", dependencies=[_PUBLIC])
    async def ready(response: Response) -> dict[str, Any]:
        parts = runtime.readiness
        is_ready = bool(parts) and all(parts.values())
        response.status_code = 200 if is_ready else 503
        return {"status": "ready" if is_ready else "waiting", "parts": parts}

    @router.get("/metrics", dependencies=[_PUBLIC])
    async def metrics() -> Response:
        await _measure(runtime, database)
        return Response(exposition(), media_type="text/plain; version=0.0.4")

    return router


def _standing(
    runtime: Process, database: Database, sources: Sequence[StandingSource], ledger: Sequence[LedgerCheck]
) -> APIRouter:
    router = APIRouter(prefix="/internal")

    @router.get("/standing")
    async def how_it_stands(_: Annotated[Principal, Depends(requires("service"))]) -> dict[str, Any]:
        lag = sum([await consumer.lag() for consumer in runtime.consumers])
        async with reading(database) as tx:
            waiting = await outbox_waiting(tx)
            dues = [await source(tx) for source in sources]
        moments = [due.next_due_at for due in dues if due.next_due_at is not None]
        return {
            "service": runtime.settings.service,
            "handled": sum(consumer.handled for consumer in runtime.consumers),
            "outbox_waiting": waiting,
            "lag": lag,
            "due": sum(due.due for due in dues),
            "next_due_at": min(moments).isoformat() if moments else None,
        }

    @router.get("/verify")
    async def verify(_: Annotated[Principal, Depends(requires("service"))]) -> dict[str, Any]:
        async with reading(database) as tx:
            gaps = await find_gaps(tx, [*RUNTIME_CHECKS, *ledger])
        return {
            "service": runtime.settings.service,
            "checks": len(RUNTIME_CHECKS) + len(ledger),
            "gap": sum(gap.rows for gap in gaps),
            "gaps": [{"part": gap.part, "name": gap.name, "rows": gap.rows, "ids": list(gap.ids)} for gap in gaps],
        }

    return router


def _parked(runtime: Process, database: Database) -> APIRouter:
    router = APIRouter(prefix="/internal/parked")
    Operator = Annotated[Principal, Depends(requires("parked:act"))]  # noqa: N806 - a type

    @router.get("")
    async def list_parked(_: Operator, state: str = "open", limit: int = 50) -> dict[str, Any]:
        async with reading(database) as tx:
            rows = await parked.list_rows(tx, state=state, limit=min(limit, PARKED_PAGE_MOST))
            return {"parked": rows, "open": await parked.open_count(tx)}

    @router.get("/{parked_id}")
    async def show_parked(_: Operator, parked_id: UUID) -> dict[str, Any]:
        async with reading(database) as tx:
            row = await parked.show_row(tx, parked_id)
        if row is None:
            raise NotFound("There is no parked event with this id; list them with GET /internal/parked.")
        return row

    @router.post("/{parked_id}/replay")
    async def replay_parked(principal: Operator, parked_id: UUID) -> dict[str, Any]:
        handlers = [consumer.handlers for consumer in runtime.consumers]
        await parked.replay(database, handlers, parked_id, by=f"{principal.kind}:{principal.id}")
        return {"id": str(parked_id), "state": "replayed"}

    @router.post("/{parked_id}/discard")
    async def discard_parked(principal: Operator, parked_id: UUID, asked: _Discard) -> dict[str, Any]:
        await parked.discard(database, parked_id, by=f"{principal.kind}:{principal.id}", reason=asked.reason)
        return {"id": str(parked_id), "state": "discarded"}

    return router
