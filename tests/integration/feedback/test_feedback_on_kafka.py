"""Feedback on a real broker: events in by its consumer, repeats dropped, outcomes and agreement out by its relay."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from services.feedback.consumer import HANDLERS
from services.feedback.settings import Settings
from shared.clock import monotonic, sleep
from shared.config import Environment
from shared.contracts.envelope import Event, headers_of
from shared.contracts.handoffs import HandoffAccepted, HandoffDisposed, HandoffOpened
from shared.db.engine import Database
from shared.stream.consumer import Consumer
from shared.stream.producer import Producer
from shared.stream.relay import Relay
from shared.stream.topics import create_topics
from tests.integration.feedback.desk import FeedbackDesk
from tests.support.builders.feedback import handoff_event, hours, profile, qualified

PATIENCE_SECONDS = 60.0


async def test_a_handoff_goes_round_the_broker_once(desk: FeedbackDesk, kafka: str, topic_prefix: str) -> None:
    settings = Settings(
        environment=Environment.TEST,
        database_url=desk.url,
        kafka_bootstrap_servers=kafka,
        topic_prefix=topic_prefix,
    )
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    await desk.at(hours(3))
    told = [
        ("leads", profile("kim")),
        ("scores", qualified("kim")),
        ("handoffs", handoff_event(HandoffOpened, "kim", 1, policy="qualified")),
        ("handoffs", handoff_event(HandoffAccepted, "kim", 2, at=hours(1))),
        ("handoffs", handoff_event(HandoffDisposed, "kim", 3, at=hours(2), disposition="opportunity")),
    ]
    database = Database(desk.url, pool_size=8)
    async with _running(settings, database):
        await _send(settings, told)
        await _send(settings, told)
        await _until(lambda: _is_sent(desk, 3))
    await database.close()
    sent = await desk.rows("select headers, payload from outbox_sent order by id")
    assert [row.payload.count('"what":"accepted"') for row in sent] == [0, 1, 0]
    assert (await desk.rows("select count(*) as n from inbox"))[0].n == len(told)
    assert not await desk.gaps()


@asynccontextmanager
async def _running(settings: Settings, database: Database) -> AsyncIterator[None]:
    """Consumer and relay for the body."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(Consumer(settings, HANDLERS, database).run(stop))
        group.create_task(Relay(settings, database).run(stop))
        yield
        stop.set()


async def _send(settings: Settings, told: list[tuple[str, Event[Any]]]) -> None:
    producer = Producer(settings.kafka_bootstrap_servers, client_id="test", topic_prefix=settings.topic_prefix)
    records = [(topic, event.key, event.payload.to_json(), headers_of(event)) for topic, event in told]
    try:
        await producer.start()
        await producer.send_all(records, deadline_seconds=30)
    finally:
        await producer.stop()


async def _is_sent(desk: FeedbackDesk, events: int) -> bool:
    rows = await desk.rows("select count(*) as n from outbox_sent")
    seen = await desk.rows("select count(*) as n from inbox")
    return bool(rows[0].n >= events and seen[0].n >= 5)


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while not await holds():
        assert monotonic() < deadline, "it did not happen in time"
        await sleep(0.05)
