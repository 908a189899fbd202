"""Ingest as a process: settings, databases, the front door, routes, the consumer of deliveries, the relay."""

from collections.abc import Awaitable, Callable
from functools import partial

from cryptography.fernet import MultiFernet

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
from shared.db.engine import Database, reading
from shared.runtime import Runtime, main
from shared.runtime.pace import Pace
from shared.web.app_factory import create_app
from shared.web.auth import by_service_token

__all__ = ["build"]

DIRECTORY_SECONDS = 10.0
TELL_SECONDS = 1.0
FORGET_SECONDS = 60.0
RETIRE_SECONDS = 600.0
INBOX_DAYS = 35  # a kept delivery may be sent again as long as it lies on its topic


async def refresh_directory(directory: SourceDirectory, database: Database, wrapping: MultiFernet) -> None:
    """Read all sources into the door's memory."""
    read_at = clock.monotonic()
    async with reading(database) as tx:
        directory.replace(*await read_directory(tx, wrapping), read_at=read_at)


async def keep_directory(refresh: Callable[[], Awaitable[None]], pace: Pace) -> None:
    """Read them again every DIRECTORY_SECONDS; the door stays closed until they were read once."""
    await refresh()
    while await pace.until(at_most_seconds=DIRECTORY_SECONDS):
        await refresh()


def build() -> Runtime:
    """The runtime of one process of ingest."""
    settings = Settings()
    runtime = Runtime(settings)
    worker, api = runtime.database("worker"), runtime.database("api")
    key = settings.keyed_hash_key()
    hashed, wrapping = KeyedHash(key), settings.wrapping()
    directory = SourceDirectory()
    refresh = partial(refresh_directory, directory, api, wrapping)
    keeper = Keeper(runtime.producer(), hint_key=key)
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
        public_url=settings.door_url,
    )
    parts = Parts(api, hashed, wrapping, keeper.send, settings.door_url, refresh)
    app = create_app(
        settings,
        ROUTERS,
        authenticate=by_service_token(runtime.tokens),
        state={"parts": parts},
    )
    runtime.serve_api(Collector(app, desk=desk))
    runtime.serve_internal(worker, routers=[internal_router(parts)], ledger=LEDGER)
    runtime.consume(handlers(hashed), worker, inbox_days=INBOX_DAYS)
    runtime.relay(worker)
    runtime.loop("directory", partial(keep_directory, refresh), is_of_world=False)
    runtime.every(TELL_SECONDS, "tell_unknown_consent", tell_unknown, database=worker)
    runtime.every(TELL_SECONDS, "tell_accounts", tell_account, database=worker)
    runtime.every(
        RETIRE_SECONDS, "retire_visitors", partial(retire_visitors, days=settings.anonymous_days), database=worker
    )
    runtime.every(FORGET_SECONDS, "forget_ids", memory.forget, database=worker)
    return runtime


if __name__ == "__main__":
    main(build)
