"""Real servers for a bench: PostgreSQL durable on disk, Kafka, and processes of ours whose CPU is counted."""

import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from deploy.local import kafka, postgres
from deploy.local.guard import Guard
from deploy.local.kafka import Kafka
from deploy.local.places import free_ports
from deploy.local.postgres import Postgres
from deploy.local.processes import Running, end, spawn, started_at
from shared.clock import monotonic, sleep
from shared.db.migrate import migrate
from shared.ids import secret_token
from tests.bench.cpu import cpu_seconds, family
from tests.bench.figures import say

__all__ = ["Rig", "rig", "wait_for"]

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60


@dataclass(slots=True)
class Rig:
    """One PostgreSQL, one Kafka and what was started beside them."""

    folder: Path
    postgres: Postgres
    kafka: Kafka
    servers: dict[str, Running]
    started: dict[str, Running] = field(default_factory=dict)
    api_ports: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str, variables: dict[str, str]) -> Running:
        """A process of ours, logging beside the data."""
        command = [sys.executable, "-m", module, *arguments]
        api, internal = free_ports(2)
        self.api_ports[name] = api
        ports = {"BATON_API_PORT": str(api), "BATON_INTERNAL_PORT": str(internal)}
        environment = {**os.environ, **ports, **variables}
        child = spawn(command, log=self.folder / f"{name}.log", env=environment, cwd=ROOT)
        self.started[name] = Running(child.pid, started_at(child.pid) or "ended")
        return self.started[name]

    async def database(self, name: str, service: str) -> str:
        """A new database with a service's tables; its URL."""
        admin = await asyncpg.connect(f"{self.postgres.url}postgres")
        await admin.execute(f'create database "{name}"')
        await admin.close()
        await migrate(f"{self.postgres.url}{name}", service)
        return f"{self.postgres.url}{name}"

    def end(self, name: str, by: int) -> None:
        """End one process of ours."""
        end(self.started.pop(name), by=by, within_seconds=20)

    def cpu(self) -> dict[str, float]:
        """CPU-seconds so far: ours, PostgreSQL with its backends, the broker."""
        ours = sum(cpu_seconds([running.pid]) for running in self.started.values())
        return {
            "ours": ours,
            "postgres": cpu_seconds(family(self.servers["postgres"].pid)),
            "kafka": cpu_seconds([self.servers["kafka"].pid]),
        }


@contextmanager
def rig() -> Iterator[Rig]:
    """Start both servers, and end everything afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="baton-bench-"))
    folder.chmod(0o711)
    guard = Guard()
    guard.sweep(folder)
    server = Postgres(folder / "postgres", free_ports(1)[0], secret_token(16))
    broker = Kafka(folder / "kafka", *free_ports(2))
    server.prepare()
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write("track_commit_timestamp = on\n")  # when a row became visible is the end of every latency
    broker.prepare()
    broker.train()
    running: dict[str, Running] = {}
    started: dict[str, Running] = {}
    try:
        running = {"postgres": server.start(), "kafka": broker.start()}
        guard.watch(running["postgres"], by=postgres.STOP_SIGNAL)
        guard.watch(running["kafka"], by=kafka.STOP_SIGNAL)
        yield Rig(folder, server, broker, running, started)
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            say(f"--- {log.name} ends with\n{log.read_text()[-2000:]}")
        raise
    finally:
        for process in (*started.values(), *running.values()):
            end(process, by=15 if process is not running.get("postgres") else postgres.STOP_SIGNAL, within_seconds=20)
        guard.release()
        shutil.rmtree(folder, ignore_errors=True)


async def wait_for(
    holds: Callable[[], Awaitable[bool]], *, within_seconds: float = WAIT_SECONDS, look_seconds: float = 0.02
) -> None:
    """Ask an async predicate every look_seconds until it holds. Raises TimeoutError."""
    until = monotonic() + within_seconds
    while not await holds():
        if monotonic() > until:
            raise TimeoutError("the bench waited in vain; look at the logs of its processes")
        await sleep(look_seconds)
