"""The parts of one process and their life.

Start in order, ready when all are, drain on SIGTERM, exit 70 when one cannot go on.

Order of start: checks (clock, schema, topics) → producers → ports → relay, consumers, loops. Order of stop: ports
drain, loops and consumers end what they do, the relay empties the outbox for a moment, producers and databases close.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.types import ASGIApp

from shared.config import Environment, ServiceSettings
from shared.db.engine import Database, Tx, Workload
from shared.db.ledger import RUNTIME_CHECKS, LedgerCheck, find_gaps
from shared.db.retention import INBOX_DAYS, forget_old
from shared.db.standing import StandingSource
from shared.errors import Fatal
from shared.runtime.checks import check_start
from shared.runtime.internal import internal_app
from shared.runtime.pace import Pace, first_of, watch_world_clock
from shared.runtime.periodic import Run, periodic_loop, supervised, watch_event_loop
from shared.runtime.server import DrainServer, listen
from shared.stream.consumer import Consumer
from shared.stream.handlers import Handlers
from shared.stream.producer import Producer
from shared.stream.relay import Relay
from shared.telemetry import configure_logs, configure_traces, log
from shared.web.auth import ServiceTokens
from shared.web.service_client import ServiceClient

__all__ = ["EXIT_FATAL", "Runtime"]

FORGET_SECONDS = 60.0
HOUSEKEEPING_SECONDS = 30.0
VERIFY_SECONDS = 3600.0
EXIT_FATAL = 70
FATAL_SECONDS = 5.0
STOP_SECONDS = 20.0  # the pod's grace period is 30 s: what has not ended by then is cancelled


@dataclass
class _Part:
    """One long-running thing: its role, what runs, and its pace, by which it is asked to stop."""

    name: str
    role: str
    run: Run
    pace: Pace
    is_ready: Callable[[], bool]
    is_supervised: bool
    is_early: bool  # starts before the database was looked at
    is_started: bool = False
    is_of_world: bool = True  # woken when the world clock moves


class Runtime:
    """What app.py fills and `main` runs. Every method only notes a part; nothing starts before `run`."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        configure_logs(
            settings.service, level=settings.log_level, as_json=settings.environment is Environment.PRODUCTION
        )
        configure_traces(settings.service, endpoint=settings.traces_endpoint)
        self.tokens = ServiceTokens.from_files(
            settings.service,
            signing_key_file=settings.signing_key_file,
            service_keys_file=settings.service_keys_file,
        )
        self.consumers: list[Consumer] = []
        self._databases: list[Database] = []
        self._producers: list[Producer] = []
        self._clients: list[ServiceClient] = []
        self._parts: list[_Part] = []
        self._ledger: list[LedgerCheck] = []
        self._standing: list[StandingSource] = []
        self._inbox_days = INBOX_DAYS
        self._running: list[_Part] = []
        self._checked = asyncio.Event()

    # ---- what parts use
    def database(self, workload: Workload = "worker") -> Database:
        """A pool to this service's database. Take one per workload: "api" has 2 s per statement, "worker" 30 s."""
        database = Database(
            self.settings.service_database_url,
            pool_size=self.settings.pool_size,
            application_name=f"baton-{self.settings.service}-{workload}",
            workload=workload,
            outbox_written=self._databases[0].outbox_written if self._databases else None,
        )
        self._databases.append(database)
        return database

    def producer(self) -> Producer:
        """A producer that is started with the process, tried again until Kafka is there, and stopped with it."""
        producer = Producer(
            self.settings.kafka_bootstrap_servers,
            client_id=f"baton-{self.settings.service}-{self.settings.instance}",
            topic_prefix=self.settings.topic_prefix,
        )
        self._producers.append(producer)
        return producer

    def client(self, callee: str, *, internal: bool = False) -> ServiceClient:
        """A client of another service, closed with the process."""
        client = ServiceClient(callee, tokens=self.tokens, internal=internal)
        self._clients.append(client)
        return client

    # ---- parts
    def serve_api(self, app: ASGIApp, *, is_early: bool = False) -> None:
        """Serve the public routes. Role: api. is_early: before the database was looked at, as the front door does."""
        self._serve("api", "api", app, self.settings.listen_api, is_early=is_early)

    def serve_internal(
        self,
        database: Database,
        *,
        routers: Sequence[APIRouter] = (),
        standing: Sequence[StandingSource] = (),
        ledger: Sequence[LedgerCheck] = (),
    ) -> None:
        """Serve the second port, whatever the roles.

        Health, metrics, parked, standing, verify, and the service's own routers.
        """
        self._standing.extend(standing)
        self._ledger.extend(ledger)
        app = internal_app(self, database, routers=routers, standing=self._standing, ledger=self._ledger)
        self._serve("internal", "", app, self.settings.listen_internal, is_early=True)
        self._housekeep(database)

    def consume(self, handlers: Handlers, database: Database, *, inbox_days: int = INBOX_DAYS) -> Consumer:
        """Read the handlers' topics. Role: consumer. inbox_days: how long ids are remembered (ingest: 35)."""
        self._inbox_days = max(self._inbox_days, inbox_days)
        consumer = Consumer(self.settings, handlers, database)
        self.consumers.append(consumer)

        async def run(pace: Pace) -> None:
            await consumer.run(pace.stopping)

        self._add("consumer", "consumer", run, is_ready=lambda: consumer.is_ready, is_supervised=False)
        return consumer

    def relay(self, database: Database) -> None:
        """Publish the outbox of this database; one process at a time. Role: relay."""
        relay = Relay(self.settings, database)

        async def run(pace: Pace) -> None:
            await relay.run(pace.stopping)

        self._add("relay", "relay", run, is_supervised=False)

    def loop(
        self,
        name: str,
        run: Run,
        *,
        role: str | None = None,
        is_of_world: bool = True,
        is_early: bool = False,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> Pace:
        """A loop of the service (`clocks`, `rechecks`, `dispatches`, `tuner`).

        Its role is its name, unless it serves another role's parts. is_of_world False: it goes by machine time alone,
        so a step of the world does not wake it. is_early: it starts before the database was looked at. Returns its
        pace, to wake it.
        """
        pace = self._add(name, role or name, run, is_early=is_early, is_ready=is_ready)
        self._parts[-1].is_of_world = is_of_world
        return pace

    def every(
        self,
        seconds: float,
        name: str,
        usecase: Callable[[Tx], Awaitable[None]],
        *,
        database: Database,
    ) -> Pace:
        """Run a use case in a transaction of its own every so many machine seconds, and when the world clock moved.

        One process at a time does it. Role: periodic. What is rarer than HOUSEKEEPING_SECONDS keeps house by
        machine time: a step of the world does not wake it.
        """
        run = periodic_loop(seconds, name, usecase, database=database)
        pace = self._add(name, "periodic", run)
        self._parts[-1].is_of_world = seconds < HOUSEKEEPING_SECONDS
        return pace

    @property
    def readiness(self) -> dict[str, bool]:
        """Which part of this process is ready."""
        return {part.name: part.is_started and part.is_ready() for part in self._running}

    # ---- life
    async def run(self, roles: frozenset[str] = frozenset()) -> None:
        """Run the parts of the given roles (empty: all) until SIGTERM or SIGINT. Raises Fatal, alone or in a group."""
        parts = [part for part in self._parts if not roles or not part.role or part.role in roles]
        unknown = roles - {part.role for part in self._parts}
        if unknown:
            raise Fatal(f"No such role here: {', '.join(sorted(unknown))}.")
        async with AsyncExitStack() as stack:
            for database in self._databases:
                stack.push_async_callback(database.close)
            for client in self._clients:
                stack.push_async_callback(client.close)
            for producer in self._producers:
                stack.push_async_callback(producer.stop)
            await self._run_parts(parts)

    async def _run_parts(self, parts: Sequence[_Part]) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._running = list(parts)
        log.info("process_starts", parts=[part.name for part in parts], instance=self.settings.instance)
        async with asyncio.TaskGroup() as group:
            starting = [group.create_task(producer.keep_started(), name="producer") for producer in self._producers]
            tasks = [group.create_task(self._run_part(part), name=part.name) for part in parts]
            of_world = [part.pace for part in parts if part.is_of_world]
            watchers = [
                group.create_task(self._check(stop), name="checks"),
                group.create_task(watch_world_clock(of_world, stop), name="world-clock"),
                group.create_task(watch_event_loop(stop), name="loop-lag"),
            ]
            for task in (*starting, *tasks, *watchers):
                task.add_done_callback(_end_soon_if_failed)
            await stop.wait()
            log.info("process_drains")
            await _drain(parts, tasks)
            for task in (*starting, *watchers):
                task.cancel()
        log.info("process_ended")

    async def _check(self, stop: asyncio.Event) -> None:
        """Let the parts that need it start once clock and schema are found right."""
        await check_start(self.settings, self._databases, stop=stop)
        self._checked.set()

    async def _run_part(self, part: _Part) -> None:
        if not part.is_early:
            await first_of(self._checked, part.pace.stopping)
        if part.pace.is_stopping:
            return
        part.is_started = True
        try:
            await self._run_started(part)
        except Fatal as reason:
            log.critical("part_cannot_go_on", part=part.name, reason=str(reason))
            raise

    @staticmethod
    async def _run_started(part: _Part) -> None:
        await (supervised(part.name, part.run, part.pace) if part.is_supervised else part.run(part.pace))
        if not part.pace.is_stopping:
            raise Fatal(f"The part {part.name} ended although nobody asked it to.")

    def _add(
        self,
        name: str,
        role: str,
        run: Run,
        *,
        is_ready: Callable[[], bool] = lambda: True,
        is_supervised: bool = True,
        is_early: bool = False,
    ) -> Pace:
        part = _Part(name, role, run, Pace(), is_ready, is_supervised, is_early)
        self._parts.append(part)
        return part.pace

    def _housekeep(self, database: Database) -> None:
        """What every service does beside its work: forget what is old, and look for gaps in the ledger."""

        async def forget(tx: Tx) -> None:
            await forget_old(tx, inbox_days=self._inbox_days)

        async def verify(tx: Tx) -> None:
            await find_gaps(tx, [*RUNTIME_CHECKS, *self._ledger])

        is_demo = self.settings.environment.has_world_clock
        self.every(FORGET_SECONDS, "forget_old", forget, database=database)
        self.every(VERIFY_SECONDS / (60 if is_demo else 1), "verify", verify, database=database)

    def _serve(self, name: str, role: str, app: ASGIApp, port: int, *, is_early: bool = False) -> None:
        server = DrainServer(app, trusted_proxies=self.settings.trusted_proxies)

        async def run(pace: Pace) -> None:
            socket = listen(self.settings.host, port)
            pace.on_stop(server.drain)
            try:
                await server.serve(sockets=[socket])
            finally:
                server.close_now()

        def is_ready() -> bool:
            return server.started and not server.is_draining

        self._add(name, role, run, is_ready=is_ready, is_supervised=False, is_early=is_early)


def _end_soon_if_failed(task: asyncio.Task[None]) -> None:
    """What hangs while it is cancelled for a failed part must not keep the process (and its instance id) alive."""
    if not task.cancelled() and task.exception() is not None:
        asyncio.get_running_loop().call_later(FATAL_SECONDS, os._exit, EXIT_FATAL)


async def _drain(parts: Sequence[_Part], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Ask every part to stop, ports first, and cancel what has not ended within STOP_SECONDS."""
    for part in parts:
        part.pace.stop()
    _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
    for task in late:
        log.error("part_did_not_stop", part=task.get_name())
        task.cancel()
