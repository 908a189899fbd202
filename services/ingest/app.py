"""Ingest as a process: settings, databases, the front door, routes, the consumer of deliveries, the relay."""

from collections.abc import Awaitable, Callable
from functools import partial

from cryptography.fernet import MultiFernet

from services.ingest.api import ROUTERS
from services.ingest.api.internal import internal_router
from services.ingest.api.parked import parked_router
from services.ingest.api.parts import Parts
from services.ingest.collector import (
    Collector,
    Desk,
    DirectoryCopy,
    DoorRates,
    Drain,
    InFlight,
    Keeper,
    Lane,
    Rates,
    SourceDirectory,
    Spool,
)
from services.ingest.collector.certificates import Certificates
from services.ingest.collector.spool_disk import Disk
from services.ingest.consumer import handlers
from services.ingest.dispatches import FetchLoop
from services.ingest.settings import Settings
from services.ingest.store import memory
from services.ingest.store.fetches import FETCH_LEDGER, fetches_standing, forget_fetches
from services.ingest.store.parked_bodies import forget_bodies
from services.ingest.store.results import LEDGER
from services.ingest.usecases.accounts import tell_account
from services.ingest.usecases.asked import work_off_erasures
from services.ingest.usecases.consent_default import tell_unknown
from services.ingest.usecases.exporting import asking
from services.ingest.usecases.feeding import KeptTopic
from services.ingest.usecases.mapping import kept_in_the_log
from services.ingest.usecases.normalise import KeyedHash
from services.ingest.usecases.replaying import work_off
from services.ingest.usecases.retention import retire_visitors
from services.ingest.usecases.sources import read_directory
from shared import clock
from shared.db.engine import Database, ReadTx, reading
from shared.db.standing import Due, StandingSource
from shared.runtime import Runtime, main
from shared.runtime.pace import Pace
from shared.web.app_factory import create_app
from shared.web.auth import by_service_token
from shared.web.client import OutboundClient

__all__ = ["build"]

DIRECTORY_SECONDS = 10.0
TELL_SECONDS = 1.0
FORGET_SECONDS = 60.0
RETIRE_SECONDS = 600.0
INBOX_DAYS = 35  # a kept delivery may be sent again as long as it lies on its topic


async def refresh_directory(
    directory: SourceDirectory, database: Database, wrapping: MultiFernet, copy: DirectoryCopy | None
) -> None:
    """Read all sources into the door's memory, and write what is new to the copy."""
    read_at = clock.monotonic()
    async with reading(database) as tx:
        sources, keys = await read_directory(tx, wrapping)
    directory.replace(sources, keys, read_at=read_at)
    if copy is not None:
        await copy.save(sources, keys)


async def keep_directory(refresh: Callable[[], Awaitable[None]], pace: Pace) -> None:
    """Read them again every DIRECTORY_SECONDS."""
    await refresh()
    while await pace.until(at_most_seconds=DIRECTORY_SECONDS):
        await refresh()


def copy_of(settings: Settings) -> DirectoryCopy | None:
    """The copy of the directory, where there is a folder for it."""
    folder = settings.door_folder
    return None if folder is None else DirectoryCopy(folder / "directory.json", settings.wrapping())


def directory_of(copy: DirectoryCopy | None) -> SourceDirectory:
    """The directory as the last process knew it; without a copy the door knows nobody until it was read."""
    directory = SourceDirectory()
    known = copy.load() if copy is not None else None
    if known is not None:
        directory.replace(*known, read_at=None)
    return directory


def spool_of(settings: Settings, disk: Disk) -> Spool | None:
    """The spool, where there is a folder for it."""
    folder = settings.door_folder
    return None if folder is None else Spool(folder / "spool", bytes_max=settings.spool_bytes_max, disk=disk)


def serve_spool(runtime: Runtime, spool: Spool | None, drain: Callable[[Spool], Drain]) -> list[StandingSource]:
    """Let the spool live with the door; what waits in it is not handled yet."""
    if spool is None:
        return []

    async def standing(_: ReadTx) -> Due:
        return Due(spool.records, None)

    run = drain(spool).run
    runtime.loop("spool", run, role="api", is_of_world=False, is_early=True, is_ready=lambda: spool.is_usable)
    return [standing]


def build(*, disk: Disk | None = None) -> Runtime:
    """The runtime of one process of ingest. disk: what the spool writes to, none for the real one."""
    settings = Settings()
    runtime = Runtime(settings)
    worker, api = runtime.database("worker"), runtime.database("api")
    key = settings.keyed_hash_key()
    hashed, wrapping = KeyedHash(key), settings.wrapping()
    copy = copy_of(settings)
    directory = directory_of(copy)
    refresh = partial(refresh_directory, directory, api, wrapping, copy)
    producer, lane = runtime.producer(), Lane()
    spool = spool_of(settings, disk or Disk())
    keeper = Keeper(producer, hint_key=key, spool=spool, lane=lane)
    client = OutboundClient(settings.guard())
    desk = Desk(
        directory=directory,
        keeper=keeper,
        default_rates=DoorRates(
            server_key=settings.server_key_rate,
            browser_key=settings.browser_key_rate,
            browser_address=settings.browser_address_rate,
            unproven=settings.unproven_rate,
        ),
        rates=Rates(),
        in_flight=InFlight(requests_max=settings.requests_in_flight_max, bytes_max=settings.bytes_in_flight_max),
        public_url=settings.door_url,
        certificates=Certificates(client),
    )
    topic = f"{settings.topic_prefix}deliveries"
    kept = partial(kept_in_the_log, bootstrap_servers=settings.kafka_bootstrap_servers, topic=topic)
    others = {callee: runtime.client(callee, internal=True) for callee in ("scoring", "handoff", "feedback")}
    parts = Parts(api, hashed, wrapping, keeper.send, settings.door_url, refresh, kept, asking(others))
    app = create_app(
        settings,
        ROUTERS,
        authenticate=by_service_token(runtime.tokens),
        state={"parts": parts},
    )
    standing = serve_spool(runtime, spool, lambda spool: Drain(spool, producer, lane))
    runtime.serve_api(Collector(app, desk=desk), is_early=True)
    runtime.serve_internal(
        worker,
        routers=[internal_router(parts), parked_router(parts)],
        standing=[*standing, fetches_standing],
        ledger=LEDGER + FETCH_LEDGER,
    )
    taking = handlers(hashed)
    runtime.consume(taking, worker, inbox_days=INBOX_DAYS)
    runtime.relay(worker)
    runtime.loop("directory", partial(keep_directory, refresh), role="api", is_of_world=False, is_early=True)
    runtime.loop(
        "replays",
        partial(work_off, worker, taking, KeptTopic(settings.kafka_bootstrap_servers, topic)),
        role="periodic",
        is_of_world=False,
    )
    runtime.every(TELL_SECONDS, "tell_unknown_consent", tell_unknown, database=worker)
    runtime.every(TELL_SECONDS, "tell_accounts", tell_account, database=worker)
    runtime.loop("erase_asked", partial(work_off_erasures, worker, hashed), role="periodic")
    fetching = FetchLoop(worker, client, deliver=keeper.send, wrapping=wrapping)
    runtime.loop("dispatches", fetching.run)
    runtime.every(
        RETIRE_SECONDS, "retire_visitors", partial(retire_visitors, days=settings.anonymous_days), database=worker
    )
    runtime.every(FORGET_SECONDS, "forget_ids", memory.forget, database=worker)
    runtime.every(FORGET_SECONDS, "forget_fetches", forget_fetches, database=worker)
    runtime.every(RETIRE_SECONDS, "forget_parked_bodies", forget_bodies, database=worker)
    return runtime


if __name__ == "__main__":
    main(build)
