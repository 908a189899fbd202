"""One process of ingest with servers of its own, all of which a test may freeze, stop, kill and start again.

The process runs with failpoints, each of which kills it once; it is started again at once, as a supervisor does.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from joserfc.jwk import OKPKey

from deploy.local import kafka, postgres
from deploy.local.guard import Guard
from deploy.local.kafka import Kafka
from deploy.local.keys import make_keys, variables_of_keys
from deploy.local.places import free_ports, scratch_folder
from deploy.local.postgres import Postgres
from deploy.local.processes import Running, end
from shared.clock import monotonic, sleep
from shared.ids import new_id, secret_token
from shared.stream.topics import create_topics
from shared.web.auth import ServiceTokens
from tests.support.databases import Databases

__all__ = ["PATIENCE_SECONDS", "DoorTown", "door_town"]

PATIENCE_SECONDS = 90.0
CLIENTS = 12
_LOOK_SECONDS = 0.05


@dataclass
class DoorTown:
    """Ingest, its broker and its database; `receipts` are the messages that got a 200, `answers` all statuses seen."""

    folder: Path
    broker: Kafka
    database: Postgres
    environment: dict[str, str]
    tokens: ServiceTokens
    guard: Guard
    kafka_runs: Running
    database_runs: Running
    process: subprocess.Popen[bytes]
    write_key: str = ""
    source_id: str = ""
    receipts: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    is_over: bool = False

    # ---- parts that fail
    def freeze_kafka(self) -> None:
        os.kill(self.kafka_runs.pid, signal.SIGSTOP)

    def thaw_kafka(self) -> None:
        os.kill(self.kafka_runs.pid, signal.SIGCONT)

    async def stop_database(self) -> None:
        await asyncio.to_thread(end, self.database_runs, by=postgres.STOP_SIGNAL, within_seconds=20)

    async def start_database(self) -> None:
        self.database_runs = await asyncio.to_thread(self.database.start)
        self.guard.watch(self.database_runs, by=postgres.STOP_SIGNAL)

    async def kill_ingest(self) -> None:
        """End it as the kernel would, and wait for the next one."""
        killed = self.process
        killed.kill()
        await self._until(lambda: self.process is not killed)

    async def supervise(self) -> None:
        """Start it again whenever it ended, until the town is over."""
        while not self.is_over:
            if self.process.poll() is not None:
                self.process = self._start()
            await sleep(_LOOK_SECONDS)

    def fired(self) -> set[str]:
        """The failpoints that have killed it."""
        return {file.name for file in (self.folder / "fired").iterdir()}

    def spooled_bytes(self) -> int:
        """What the spool holds on disk."""
        return sum(file.stat().st_size for file in (self.folder / "door" / "spool").glob("*.spool"))

    async def until_drained(self) -> None:
        """Until the spool holds nothing."""
        await self._until(lambda: not self.spooled())

    def spooled(self) -> list[str]:
        """The segments that lie in the spool."""
        return [file.name for file in (self.folder / "door" / "spool").glob("*.spool")]

    # ---- calls
    async def call(self, method: str, path: str, *, port: str = "INTERNAL", **options: Any) -> httpx2.Response:  # noqa: ANN401
        headers = {
            "authorization": f"Bearer {self.tokens.make(audience='ingest')}",
            "idempotency-key": str(new_id()),
        }
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            return await client.request(method, f"{self._url(port)}{path}", headers=headers, **options)

    async def until_ready(self) -> None:
        async def is_ready() -> bool:
            return (await self.call("GET", "/healthz/ready")).status_code == 200

        await self._until_true(is_ready)

    async def until_quiet(self) -> None:
        """Until nothing waits: not in the spool, not in the log, not in the outbox."""

        async def is_quiet() -> bool:
            answer = await self.call("GET", "/internal/standing")
            if answer.status_code != 200:
                return False
            said = answer.json()
            return bool(said["lag"] == said["outbox_waiting"] == said["due"] == 0)

        await self._until_true(is_quiet)

    async def settle(self) -> None:
        """Make a source; its key is what senders use."""
        asked = {"sender": "segment", "name": "site", "settings": {"consent": "granted"}, "keys": ["server_key"]}
        made = await self.call("POST", "/v1/sources", port="API", json=asked)
        assert made.status_code == 201, made.text
        self.write_key, self.source_id = made.json()["keys"][0]["key"], made.json()["id"]

    async def deliver(self, messages: Sequence[str]) -> None:
        """Send each until it has its receipt, as libraries do: the same ids again after 503 or a lost connection."""
        waiting = list(messages)

        async def send_some(client: httpx2.AsyncClient) -> None:
            while waiting:
                await self._deliver(client, waiting.pop())

        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client, asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(send_some(client))

    async def deliver_for(self, seconds: float, what: str) -> None:
        """Go on sending for so long."""
        until, number = monotonic() + seconds, 0
        while monotonic() < until:
            await self.deliver([f"{what}-{number}-{n}" for n in range(100)])
            number += 1

    async def ask(self, key: str, message: str = "asked") -> httpx2.Response:
        """One answer of the door, once it listens."""
        answers: list[httpx2.Response] = []

        async def is_answered() -> bool:
            async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
                answers.append(await self._post(client, key, message))
            return True

        await self._until_true(is_answered)
        return answers[-1]

    async def _deliver(self, client: httpx2.AsyncClient, message: str) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while message not in self.receipts:
            assert monotonic() < deadline, f"no receipt in time: {self.answers}"
            try:
                status = (await self._post(client, self.write_key, message)).status_code
            except httpx2.TransportError:
                await sleep(_LOOK_SECONDS)
                continue
            self.answers[status] += 1
            if status == 200:
                self.receipts.add(message)
            else:
                await sleep(_LOOK_SECONDS)

    async def _post(self, client: httpx2.AsyncClient, key: str, message: str) -> httpx2.Response:
        event = {"type": "track", "event": "Demo Requested", "userId": message, "messageId": message}
        return await client.post(f"{self._url('API')}/v1/track", json=event, auth=(key, ""))

    def _url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'BATON_{port}_PORT']}"

    async def _until(self, holds: Callable[[], bool]) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while not holds():
            assert monotonic() < deadline, "it did not happen in time"
            await sleep(_LOOK_SECONDS)

    async def _until_true(self, ask: Callable[[], Awaitable[bool]]) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if await ask():
                    return
            except httpx2.TransportError:
                pass
            assert monotonic() < deadline, f"it did not happen in time; the log ends:\n{self.last_words()}"
            await sleep(_LOOK_SECONDS)

    def last_words(self) -> str:
        """The end of the log of all lives of the process."""
        return (self.folder / "ingest.log").read_text(errors="replace")[-3000:]

    def _start(self) -> subprocess.Popen[bytes]:
        return _started(self.folder, self.environment)


def _started(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "ingest.log").open("ab") as log:
        command = [sys.executable, "-m", "tests.support.failpoint_entry", "services.ingest.app"]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


@asynccontextmanager
async def door_town(*, kill_at: dict[str, int]) -> AsyncIterator[DoorTown]:
    """A town whose ingest is killed once at each of these steps, when a life reaches it for the n-th time."""
    folder, guard = scratch_folder("baton-door-"), Guard()
    guard.sweep(folder)
    (folder / "fired").mkdir()
    kafka_port, controller_port, database_port, api, internal = free_ports(5)
    broker = Kafka(folder / "kafka", kafka_port, controller_port)
    database = Postgres(folder / "postgres", database_port, secret_token(16), is_durable=False)
    town: DoorTown | None = None
    try:
        for server in (broker, database):
            await asyncio.to_thread(server.prepare)
        kafka_runs, database_runs = await asyncio.gather(
            asyncio.to_thread(broker.start), asyncio.to_thread(database.start)
        )
        guard.watch(kafka_runs, by=kafka.STOP_SIGNAL)
        guard.watch(database_runs, by=postgres.STOP_SIGNAL)
        url = await Databases(database.url).of("ingest")
        await create_topics(broker.address, partitions=2, replication=1)
        make_keys(folder / "keys")
        environment = {
            **os.environ,
            **variables_of_keys(folder / "keys"),
            "BATON_ENVIRONMENT": "test",
            "BATON_DATABASE_URL": url,
            "BATON_INGEST_DATABASE_URL": url,
            "BATON_KAFKA_BOOTSTRAP_SERVERS": broker.address,
            "BATON_API_PORT": str(api),
            "BATON_INTERNAL_PORT": str(internal),
            "BATON_INGEST_DOOR_FOLDER": str(folder / "door"),
            "BATON_TEST_FAILPOINTS": json.dumps([
                {"step": step, "act": "kill", "nth": nth, "once_file": str(folder / "fired" / step)}
                for step, nth in kill_at.items()
            ]),
        }  # fmt: skip
        signing = OKPKey.import_key((folder / "keys" / "cli.pem").read_bytes())
        tokens = ServiceTokens("cli", signing_key=signing, public_keys={})
        process = _started(folder, environment)
        town = DoorTown(folder, broker, database, environment, tokens, guard, kafka_runs, database_runs, process)
        async with asyncio.TaskGroup() as group:
            group.create_task(town.supervise())
            try:
                yield town
            finally:
                town.is_over = True
    finally:
        if town is not None:
            town.process.kill()
            town.process.wait()
            town.thaw_kafka()
            await asyncio.to_thread(end, town.database_runs, by=postgres.STOP_SIGNAL, within_seconds=20)
            await asyncio.to_thread(end, town.kafka_runs, by=kafka.STOP_SIGNAL, within_seconds=20)
        guard.release()
        shutil.rmtree(folder, ignore_errors=True)
