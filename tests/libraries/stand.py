"""Ingest as a process behind a gate, with one source for each client library; it may be killed and started again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from joserfc.jwk import OKPKey

from deploy.local.keys import make_keys, variables_of_keys
from deploy.local.places import free_ports
from services.ingest.adapters import COLLECTING, CollectionAdapter
from services.ingest.domain.observation import Operation
from services.ingest.domain.source import SourceSettings
from shared.clock import monotonic, sleep
from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event, Payload
from shared.ids import derived_id, new_id
from shared.stream.reader import read_topic
from shared.stream.topics import create_topics
from shared.web.auth import ServiceTokens
from tests.libraries.gate import Gate, open_gate

__all__ = ["Made", "Stand", "open_stand"]

PATIENCE_SECONDS = 240.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Made:
    """A source: its sender, its id, and the key its library is given."""

    sender: str
    source_id: str
    key: str


@dataclass
class Stand:
    """The process, its gate, and the sources by library."""

    environment: dict[str, str]
    tokens: ServiceTokens
    kafka: str
    gate: Gate
    process: subprocess.Popen[bytes]
    made: dict[str, Made] = field(default_factory=dict)
    _told: dict[str, tuple[dict[str, str | None], int]] = field(default_factory=dict)

    async def call(self, method: str, path: str, *, port: str = "API", **options: Any) -> httpx2.Response:  # noqa: ANN401
        headers = {
            "authorization": f"Bearer {self.tokens.make(audience='ingest')}",
            "idempotency-key": str(new_id()),
        }
        url = f"http://127.0.0.1:{self.environment[f'BATON_{port}_PORT']}{path}"
        return await self.gate.client.request(method, url, headers=headers, **options)

    async def make_source(self, library: str, sender: str, *, kind: str = "server_key", **settings: object) -> Made:
        """A source of this sender; everybody it sends has consented."""
        asked = {
            "sender": sender,
            "name": library,
            "settings": {"consent": "granted", **settings},
            "keys": [kind],
        }
        answer = await self.call("POST", "/v1/sources", json=asked)
        assert answer.status_code == 201, answer.text
        said = answer.json()
        self.made[library] = Made(sender, said["id"], said["keys"][0]["key"])
        return self.made[library]

    async def kill(self) -> None:
        """End ingest as the kernel would, start it again, and wait until it is ready."""
        self.gate.is_up.clear()
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        self.process = _started(self.environment)
        await self.until_ready()

    async def until_ready(self) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            assert self.process.poll() is None, "ingest ended"
            assert monotonic() < deadline, "ingest was not ready in time"
            try:
                if (await self.call("GET", "/healthz/ready", port="INTERNAL")).status_code == 200:
                    self.gate.is_up.set()
                    return
            except httpx2.TransportError:
                pass
            await sleep(_LOOK_SECONDS)

    async def until_quiet(self) -> None:
        """Until all that was kept is handled and told."""
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            said = (await self.call("GET", "/internal/standing", port="INTERNAL")).json()
            if said["lag"] == said["outbox_waiting"] == said["due"] == 0 and said["handled"] > 0:
                return
            assert monotonic() < deadline, said
            await sleep(_LOOK_SECONDS)

    async def events(self, topic: str) -> list[Event[Payload]]:
        """All events of a topic, as any reader has them."""
        prefix = self.environment["BATON_TOPIC_PREFIX"]
        return [event async for event in read_topic(self.kafka, f"{prefix}{topic}")]

    async def activities(self) -> list[ActivityRecorded]:
        """The activities recorded, in the order of the topic."""
        payloads = [event.payload for event in await self.events("activities")]
        return [one for one in payloads if isinstance(one, ActivityRecorded)]

    def adapter(self, sender: str) -> CollectionAdapter:
        """The sender's adapter, with its paths."""
        return next(one for takers in COLLECTING.values() for one in takers if sender == one.SENDER)

    def told(self, library: str) -> dict[str, str | None]:
        """Activity id to user id of every activity of this library that its requests with 2xx carried."""
        made = self.made[library]
        adapter = self.adapter(made.sender)
        found, seen = self._told.get(library, ({}, 0))
        for request in self.gate.told[seen:]:
            if request.path in adapter.PATHS:
                for one in adapter.parse(request, SourceSettings()).observations:
                    if one.operation is Operation.ACTIVITY and (one.person.user_id or "").startswith(f"{library}-"):
                        found[str(derived_id(made.source_id, one.event_id))] = one.person.user_id
        self._told[library] = (found, len(self.gate.told))
        return found


def _started(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "services.ingest.app"], env=environment)


@asynccontextmanager
async def open_stand(database_url: str, kafka: str, topic_prefix: str, folder: Path) -> AsyncIterator[Stand]:
    """The process with its own topics, the gate being its public address."""
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    make_keys(folder / "keys")
    api_port, internal_port = free_ports(2)
    async with open_gate(f"http://127.0.0.1:{api_port}") as gate:
        environment = {
            **os.environ,
            **variables_of_keys(folder / "keys"),
            "BATON_ENVIRONMENT": "test",
            "BATON_DATABASE_URL": database_url,
            "BATON_INGEST_DATABASE_URL": database_url,
            "BATON_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "BATON_TOPIC_PREFIX": topic_prefix,
            "BATON_API_PORT": str(api_port),
            "BATON_INTERNAL_PORT": str(internal_port),
            "BATON_INGEST_PUBLIC_URL": gate.url,
            "BATON_INGEST_DOOR_FOLDER": str(folder / "door"),
            "BATON_INGEST_BROWSER_ADDRESS_RATE": "1000",
        }
        signing = OKPKey.import_key((folder / "keys" / "cli.pem").read_bytes())
        tokens = ServiceTokens("cli", signing_key=signing, public_keys={})
        stand = Stand(environment, tokens, kafka, gate, _started(environment))
        try:
            await stand.until_ready()
            yield stand
            stand.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(stand.process.wait, 30) == 0
        finally:
            stand.process.kill()
            stand.process.wait()
