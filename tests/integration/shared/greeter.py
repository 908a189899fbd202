"""A service's app.py in small, run as a process by the tests: `python -m tests.integration.shared.greeter`."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends
from sqlalchemy import text

from shared.config import ServiceSettings
from shared.contracts.envelope import Event
from shared.contracts.leads import LeadErased
from shared.db.engine import ReadTx, Tx
from shared.db.standing import Due
from shared.runtime import Pace, Runtime, main
from shared.stream.handlers import Handlers
from shared.web.app_factory import create_app
from shared.web.auth import Principal, by_service_token, requires
from tests.integration.shared.stage import INSERT


class Settings(ServiceSettings):
    service: ClassVar[str] = "scoring"


router = APIRouter()


@router.get("/v1/greeting")
async def greeting(principal: Annotated[Principal, Depends(requires("any"))]) -> dict[str, str]:
    return {"hello": principal.id}


async def greet(tx: Tx, received: Sequence[Event[LeadErased]]) -> None:
    await tx.execute(
        INSERT, {"leads": [event.payload.lead_id for event in received], "events": [event.id for event in received]}
    )


async def due(tx: ReadTx) -> Due:
    row = (await tx.execute(text("select count(*) as due from applied where false"))).one()
    return Due(row.due, None)


async def beat(pace: Pace) -> None:
    while await pace.until():
        pass


async def cling(_: Pace) -> None:
    """Does not let itself be cancelled."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def build() -> Runtime:
    settings = Settings()
    runtime = Runtime(settings)
    worker = runtime.database("worker")
    app = create_app(settings, [router], authenticate=by_service_token(runtime.tokens))
    runtime.serve_api(app)
    runtime.serve_internal(worker, standing=[due])
    runtime.consume(Handlers("scoring", {LeadErased: greet}), worker)
    runtime.relay(worker)
    runtime.loop("rechecks", beat)
    if "GREETER_CLINGS" in os.environ:
        runtime.loop("clinging", cling)
    return runtime


if __name__ == "__main__":
    main(build)
