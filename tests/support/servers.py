"""One PostgreSQL and one Kafka for a whole test run, real ones, in memory where there is room.

Owned by the controller of the run; workers get the addresses by environment variables. Each is started when it is
first asked for (or before the workers are, when the paths given name a tier that needs it) and does not outlive the
run, however that ends.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from deploy.local import kafka, postgres
from deploy.local.guard import Guard
from deploy.local.kafka import Kafka
from deploy.local.places import free_ports, scratch_folder
from deploy.local.postgres import Postgres
from deploy.local.processes import Running, end
from shared.ids import secret_token

__all__ = ["KAFKA_VARIABLE", "POSTGRES_VARIABLE", "Servers"]

POSTGRES_VARIABLE = "BATON_TEST_DATABASE_URL"
KAFKA_VARIABLE = "BATON_TEST_KAFKA_BOOTSTRAP_SERVERS"


class Servers:
    """The servers of this run, seen from the controller or from a worker."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._folder: Path | None = None
        self._guard: Guard | None = None
        self._running: list[tuple[Running, int]] = []

    def start_all(self) -> None:
        """Start both at the same time."""
        with ThreadPoolExecutor(2) as pool:
            for started in (pool.submit(self.postgres_url), pool.submit(self.kafka)):
                started.result()

    def postgres_url(self) -> str:
        """postgresql:// address of the server, without a database; started when it is not yet."""
        if POSTGRES_VARIABLE not in os.environ:
            server = Postgres(self._own("postgres"), free_ports(1)[0], secret_token(16), is_durable=False)
            server.prepare()
            self._keep(server.start(), postgres.STOP_SIGNAL)
            os.environ[POSTGRES_VARIABLE] = server.url
        return os.environ[POSTGRES_VARIABLE]

    def kafka(self) -> str:
        """host:port of the broker; started when it is not yet."""
        if KAFKA_VARIABLE not in os.environ:
            broker = Kafka(self._own("kafka"), *free_ports(2))
            broker.prepare()
            broker.train()
            self._keep(broker.start(), kafka.STOP_SIGNAL)
            os.environ[KAFKA_VARIABLE] = broker.address
        return os.environ[KAFKA_VARIABLE]

    def stop(self) -> None:
        """End what this run started, and delete its data."""
        for running, by in reversed(self._running):
            end(running, by=by, within_seconds=10)
        if self._guard:
            self._guard.release()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _own(self, name: str) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder, self._guard = scratch_folder("baton-tests-"), Guard()
                self._guard.sweep(self._folder)
            return self._folder / name

    def _keep(self, running: Running, by: int) -> None:
        with self._lock:
            assert self._guard is not None
            self._guard.watch(running, by=by)
            self._running.append((running, by))
