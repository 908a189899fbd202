"""Ingest as a process: settings, databases, the front door, routes, the consumer of deliveries, the relay."""

from functools import partial

from services.ingest.api import ROUTERS
from services.ingest.api.internal import internal_router
from services.ingest.api.parts import Parts
from services.ingest.collector import Collector, Desk, DoorRates, InFlight, Keeper, Rates, SourceDirectory
from services.ingest.consumer import handlers
from services.ingest.settings import Settings
from services.ingest.store import memory
from services.ingest.store.results import LEDGER
from services.ingest.usecases.accounts import tell_account
from services.ingest.usecases.consent_default import tell_unknown
from services.ingest.usecases.normalise import KeyedHash
from services.ingest.usecases.retention import retire_visitors
from services.ingest.usecases.sources import read_directory
from shared import clock
from shared.db.engine import reading
from shared.runtime import Runtime, main
from shared.runtime.pace import Pace
from shared.web.app_factory import create_app
from shared.web.auth import by_service_token

__all__ = ["build"]

DIRECTORY_SECONDS = 10.0
TELL_SECONDS = 1.0
FORGET_SECONDS = 60.0
RETIRE_SECONDS = 600.0
INBOX_DAYS = 35  # a kept delivery may be sent again as long as it lies on its topic, and a spool drains late


def build() -> Runtime:
    """The runtime of one process of ingest."""
    settings = Settings()
    runtime = Runtime(settings)
    worker, api = runtime.database("worker"), runtime.database("api")
    key = settings.keyed_hash_key()
    hashed, wrapping = KeyedHash(key), settings.wrapping()
    directory = SourceDirectory()
    keeper = Keeper(runtime.producer(), hint_key=key)

    async def refresh_directory() -> None:
        read_at = clock.monotonic()
        async with reading(api) as tx:
            directory.replace(*await read_directory(tx, wrapping), read_at=read_at)

    async def keep_directory(pace: Pace) -> None:
        while True:
            await refresh_directory()
            if not await pace.until(at_most_seconds=DIRECTORY_SECONDS):
                return

    desk = Desk(
        directory=directory,
        keeper=keeper,
        default_rates=DoorRates(
            server_key=settings.server_key_rate,
            browser_key=settings.browser_key_rate,
            browser_address=settings.browser_address_rate,
        ),
        rates=Rates(),
        in_flight=InFlight(requests_max=settings.requests_in_flight_max, bytes_max=settings.bytes_in_flight_max),
    )
    parts = Parts(api, hashed, wrapping, keeper.send, settings.door_url, refresh_directory)
    app = create_app(
        settings,
        ROUTERS,
        authenticate=by_service_token(runtime.tokens),
        state={"parts": parts},
    )
    retire = partial(retire_visitors, days=settings.anonymous_days)
    runtime.loop("directory", keep_directory, is_of_world=False)
    runtime.serve_api(Collector(app, desk=desk, public_url=settings.door_url))
    runtime.serve_internal(worker, routers=[internal_router(parts)], ledger=LEDGER)
    runtime.consume(handlers(hashed), worker, inbox_days=INBOX_DAYS)
    runtime.relay(worker)
    runtime.every(TELL_SECONDS, "tell_unknown_consent", tell_unknown, database=worker)
    runtime.every(TELL_SECONDS, "tell_accounts", tell_account, database=worker)
    runtime.every(RETIRE_SECONDS, "retire_visitors", retire, database=worker)
    runtime.every(FORGET_SECONDS, "forget_ids", memory.forget, database=worker)
    return runtime


if __name__ == "__main__":
    main(build)
