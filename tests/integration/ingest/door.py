"""The front door as a real server before a real broker: uvicorn, sockets, Kafka. Its directory is filled by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from aiokafka import AIOKafkaConsumer
from starlette.types import Receive, Scope, Send

from services.ingest.collector import (
    Collector,
    Desk,
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
from services.ingest.collector.keep import Sending
from services.ingest.collector.spool_disk import Disk
from services.ingest.domain.source import Secret, Source, SourceKey, SourceSettings, key_hash
from shared import clock
from shared.contracts.envelope import Headers
from shared.ids import derived_id
from shared.runtime.pace import Pace
from shared.runtime.server import BODY_SECONDS, HEADERS_SECONDS, DrainServer, listen
from shared.stream.producer import Producer
from shared.stream.topics import create_topics

SERVER_KEY, BROWSER_KEY = "server-key-of-tests", "browser-key-of-tests"
SEGMENT_ID, EVENTS_ID, MAIL_ID = (derived_id("source", name) for name in ("segment", "cloudevents", "sendgrid"))
EVENTS_KEY = "events-key-of-tests"
MAIL_ADDRESS = "0123456789abcdef"
PATIENCE_SECONDS = 60.0
ORIGIN = "https://www.example.test"
PUBLIC_URL = "https://in.example.test"
RATES = DoorRates(server_key=10_000, browser_key=10_000, browser_address=10_000, unproven=10_000)


def directory_of(*, mail_keys: tuple[str, ...] = ()) -> SourceDirectory:
    """Three sources: Segment with both kinds of key, CloudEvents, SendGrid."""
    directory = SourceDirectory()
    settings = SourceSettings(origins=frozenset({ORIGIN}))
    sources = [
        Source(SEGMENT_ID, "segment", "site", "segment-address", settings),
        Source(EVENTS_ID, "cloudevents", "app", "events-address", settings),
        Source(
            MAIL_ID,
            "sendgrid",
            "mail",
            MAIL_ADDRESS,
            secrets=tuple(Secret(derived_id("secret", key), key) for key in mail_keys),
        ),
    ]
    keys = [
        SourceKey(derived_id("key", value), source_id, kind, key_hash(value))
        for value, source_id, kind in (
            (SERVER_KEY, SEGMENT_ID, "server_key"),
            (BROWSER_KEY, SEGMENT_ID, "browser_key"),
            (EVENTS_KEY, EVENTS_ID, "server_key"),
        )
    ]
    directory.replace(sources, keys, read_at=clock.monotonic())
    return directory


async def elsewhere(_: Scope, __: Receive, send: Send) -> None:
    """The app behind the door."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"behind the door"})


@dataclass(frozen=True)
class Patient:
    """A producer whose sends have a minute."""

    producer: Producer

    @property
    def is_started(self) -> bool:
        return self.producer.is_started

    async def send(
        self, topic: str, key: str, value: bytes, headers: Headers, *, deadline_seconds: float = PATIENCE_SECONDS
    ) -> None:
        await self.producer.send(topic, key, value, headers, deadline_seconds=deadline_seconds)


@dataclass
class Door:
    """A door that listens, and what it wrote."""

    port: int
    client: httpx2.AsyncClient
    directory: SourceDirectory
    bootstrap_servers: str = ""
    topic_prefix: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    async def post(self, path: str, body: bytes, *, key: str | None = SERVER_KEY, **headers: str) -> httpx2.Response:
        said = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            said["authorization"] = f"Bearer {key}"
        return await self.client.post(path, content=body, headers=said)

    async def raw(self, request: bytes, *, within_seconds: float = PATIENCE_SECONDS) -> bytes:
        """The start of the answer to bytes that no client would send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(within_seconds):
            answer = await reader.read(256)
        writer.close()
        return answer

    async def records(self) -> list[Any]:
        """All records on this door's topic of deliveries."""
        consumer = AIOKafkaConsumer(
            f"{self.topic_prefix}deliveries",
            bootstrap_servers=self.bootstrap_servers,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_bytes=64 * 1024 * 1024,
            max_partition_fetch_bytes=16 * 1024 * 1024,
        )
        await consumer.start()
        try:
            assigned = consumer.assignment()
            ends = await consumer.end_offsets(list(assigned))
            found: list[Any] = []
            while any([await consumer.position(one) < ends[one] for one in assigned]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found.extend(records)
            return found
        finally:
            await consumer.stop()


@asynccontextmanager
async def listening(sending: Sending, directory: SourceDirectory, **options: Any) -> AsyncIterator[Door]:  # noqa: ANN401
    """A door over this producer, on a free port."""
    desk = Desk(
        directory=directory,
        keeper=Keeper(sending, hint_key=b"hints of tests", spool=options.get("spool"), lane=options.get("lane")),
        default_rates=options.get("rates", RATES),
        rates=Rates(),
        in_flight=InFlight(requests_max=options.get("requests_max", 2000), bytes_max=64 * 1024 * 1024),
        public_url=PUBLIC_URL,
        certificates=options.get("certificates") or Certificates(),
    )
    server = DrainServer(
        Collector(elsewhere, desk=desk),
        headers_seconds=options.get("headers_seconds", HEADERS_SECONDS),
        body_seconds=options.get("body_seconds", BODY_SECONDS),
    )
    socket = listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[socket]))
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=90, trust_env=False) as client:
                yield Door(port, client, directory)
        finally:
            server.drain()


@asynccontextmanager
async def spooling_door(
    kafka: str,
    folder: Path,
    *,
    topic_prefix: str = "baton.",
    bytes_max: int = 64 * 1024 * 1024,
    disk: Disk | None = None,
    is_kafka_there: bool = True,
    is_patient: bool = False,
) -> AsyncIterator[tuple[Door, Spool]]:
    """A door with a spool and its drain, as a process has them: the producer starts beside it, whenever Kafka comes.

    is_patient: it waits for Kafka as long as this machine is busy, so that what spools does so for another reason.
    """
    producer = Producer(kafka, client_id="spooling", topic_prefix=topic_prefix)
    spool, lane, pace = Spool(folder, bytes_max=bytes_max, disk=disk), Lane(), Pace()
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(producer.keep_started())
        draining = group.create_task(Drain(spool, producer, lane).run(pace))
        try:
            await until(lambda: spool.is_open and producer.is_started == is_kafka_there)
            sending = Patient(producer) if is_patient else producer
            async with listening(sending, directory_of(), spool=spool, lane=lane) as door:
                door.bootstrap_servers, door.topic_prefix = kafka, topic_prefix
                yield door, spool
        finally:
            pace.stop()
            await asyncio.wait([draining])
            starting.cancel()
            await producer.stop()
            await spool.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that a part of this process shows."""
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert clock.monotonic() < deadline, "it did not happen in time"
        await clock.sleep(0.01)


@asynccontextmanager
async def door_before(kafka: str, topic_prefix: str, **options: Any) -> AsyncIterator[Door]:  # noqa: ANN401
    """A door over a real producer and its own topics, patient: what a test asks is not how busy this machine is."""
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    producer = Producer(kafka, client_id="door", topic_prefix=topic_prefix)
    await producer.start()
    directory = options.pop("directory", None) or directory_of()
    try:
        async with listening(Patient(producer), directory, **options) as door:
            door.bootstrap_servers, door.topic_prefix = kafka, topic_prefix
            yield door
    finally:
        await producer.stop()
