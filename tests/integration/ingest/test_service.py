"""Ingest as a process: an unmodified Segment library before it, a plain reader of Kafka behind it."""

import asyncio
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from joserfc.jwk import OKPKey

from deploy.local.keys import make_keys, variables_of_keys
from deploy.local.places import free_ports
from shared.clock import monotonic, now, sleep
from shared.ids import new_id
from shared.stream.topics import create_topics
from shared.web.auth import ServiceTokens

PATIENCE_SECONDS = 40.0
PEOPLE = 5


@dataclass
class Process:
    """One running process of ingest."""

    process: subprocess.Popen[bytes]
    api: httpx2.AsyncClient
    internal: httpx2.AsyncClient
    tokens: ServiceTokens
    kafka: str
    topic_prefix: str

    @property
    def url(self) -> str:
        return str(self.api.base_url).rstrip("/")

    async def call(self, method: str, path: str, *, port: str = "api", **options: Any) -> httpx2.Response:  # noqa: ANN401
        headers = {
            "authorization": f"Bearer {self.tokens.make(audience='ingest')}",
            "idempotency-key": str(new_id()),
        }
        client = self.api if port == "api" else self.internal
        return await client.request(method, path, headers=headers, **options)

    async def until_ready(self) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            assert self.process.poll() is None, "the process ended"
            assert monotonic() < deadline, "it was not ready in time"
            try:
                if (await self.internal.get("/healthz/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await sleep(0.05)

    async def until_quiet(self) -> dict[str, Any]:
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            standing: dict[str, Any] = (await self.call("GET", "/internal/standing", port="internal")).json()
            if standing["lag"] == standing["outbox_waiting"] == standing["due"] == 0 and standing["handled"] > 0:
                return standing
            assert monotonic() < deadline, standing
            await sleep(0.05)

    async def read(self, topic: str) -> list[dict[str, Any]]:
        """All values of a topic, as a foreign reader sees them."""
        consumer = AIOKafkaConsumer(
            f"{self.topic_prefix}{topic}",
            bootstrap_servers=self.kafka,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            assigned = list(consumer.assignment())
            ends = await consumer.end_offsets(assigned)
            found: list[dict[str, Any]] = []
            while any([await consumer.position(one) < ends[one] for one in assigned]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found.extend(json.loads(record.value) for record in records)
            return found
        finally:
            await consumer.stop()


@pytest_asyncio.fixture
async def ingest(
    database_of: Callable[[str], Awaitable[str]], kafka: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Process]:
    url = await database_of("ingest")
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    make_keys(tmp_path / "keys")
    api_port, internal_port = free_ports(2)
    environment = {
        **os.environ,
        **variables_of_keys(tmp_path / "keys"),
        "BATON_ENVIRONMENT": "test",
        "BATON_DATABASE_URL": url,
        "BATON_INGEST_DATABASE_URL": url,
        "BATON_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "BATON_TOPIC_PREFIX": topic_prefix,
        "BATON_API_PORT": str(api_port),
        "BATON_INTERNAL_PORT": str(internal_port),
        "BATON_INGEST_DOOR_FOLDER": str(tmp_path / "door"),  # a busy machine costs no event either
    }
    signing = OKPKey.import_key((tmp_path / "keys" / "cli.pem").read_bytes())
    process = _started(environment)
    try:
        async with (
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{api_port}", trust_env=False) as api,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{internal_port}", trust_env=False) as internal,
        ):
            tokens = ServiceTokens("cli", signing_key=signing, public_keys={})
            found = Process(process, api, internal, tokens, kafka, topic_prefix)
            await found.until_ready()
            yield found
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30) == 0
    finally:
        process.kill()
        process.wait()


def _started(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "services.ingest.app"], env=environment)


async def test_an_unmodified_segment_library_is_understood(ingest: Process) -> None:
    asked = {"sender": "segment", "name": "site", "settings": {"consent": "granted"}, "keys": ["server_key"]}
    made = await ingest.call("POST", "/v1/sources", json=asked)
    assert made.status_code == 201, made.text
    write_key = made.json()["keys"][0]["key"]
    errors = await asyncio.to_thread(_send_with_the_library, ingest.url, write_key)
    assert errors == []
    await ingest.until_quiet()
    kinds = sorted(value["kind"] for value in await ingest.read("activities"))
    assert kinds == ["demo_requested"] * PEOPLE + ["pricing_viewed"] * PEOPLE
    leads = await ingest.read("leads")
    assert len({value["lead_id"] for value in leads}) == PEOPLE
    assert sum("domain" in value for value in leads) == PEOPLE
    verified = (await ingest.call("GET", "/internal/verify", port="internal")).json()
    assert verified["gap"] == 0, verified


def _send_with_the_library(url: str, write_key: str) -> list[str]:
    """What a site's server does; the library's own thread sends, its errors are ours."""
    if importlib.util.find_spec("segment") is None:
        print("segment-analytics-python is not installed: its requests are sent as they were recorded")  # noqa: T201
        return _send_as_recorded(url, write_key)
    errors: list[str] = []
    library = importlib.import_module("segment.analytics.client")
    client = library.Client(write_key, host=url, on_error=lambda error, _: errors.append(str(error)), max_retries=3)
    for number in range(PEOPLE):
        user = f"u{number}"
        client.identify(user, {"email": f"{user}@acme{number}.example", "title": "VP Sales"})
        client.page(user, "Docs", "Pricing", {"url": "https://www.example.test/pricing"})
        client.track(user, "Demo Requested", {"plan": "gold"})
    client.flush()
    client.join()
    return errors


def _send_as_recorded(url: str, write_key: str) -> list[str]:
    """The same calls in the form of a recorded batch of the library: anonymousId null, context, sentAt, Basic key."""
    events: list[dict[str, object]] = []
    for number in range(PEOPLE):
        user: dict[str, object] = {
            "userId": f"u{number}",
            "anonymousId": None,
            "integrations": {},
            "timestamp": now().isoformat(),
        }
        traits = {"email": f"u{number}@acme{number}.example", "title": "VP Sales"}
        said: tuple[dict[str, object], ...] = (
            {"type": "identify", "traits": traits},
            {"type": "page", "name": "Pricing", "properties": {"url": "https://www.example.test/pricing"}},
            {"type": "track", "event": "Demo Requested", "properties": {"plan": "gold"}},
        )
        events += [{**user, **one, "messageId": str(new_id())} for one in said]
    body = {"batch": events, "sentAt": now().isoformat(), "writeKey": write_key}
    answer = httpx2.post(f"{url}/v1/batch", json=body, auth=(write_key, ""), trust_env=False)
    return [] if answer.status_code == 200 else [answer.text]
