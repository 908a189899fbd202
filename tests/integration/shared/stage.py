"""A trivial service on real parts: it counts events per lead, and can be told to fail on one.

Only what the runtime needs: settings, a table, a handler, topics with a prefix of their own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

from shared.clock import monotonic, sleep
from shared.config import Environment, ServiceSettings
from shared.contracts.envelope import Event, headers_of
from shared.contracts.leads import LeadErased
from shared.db.engine import Database, Tx, reading
from shared.ids import derived_id
from shared.stream.consumer import Consumer
from shared.stream.handlers import Handlers, UseCase
from shared.stream.producer import Producer
from shared.stream.topics import create_topics

PATIENCE_SECONDS = 40.0
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PARTITIONS = 2

TABLES = (
    "create table applied (lead_id uuid not null, event_id uuid not null, ordinal bigint generated always as identity)",
)
INSERT = text(
    """
    insert into applied (lead_id, event_id)
    select lead_id, event_id from unnest(:leads, :events) as row (lead_id, event_id)
    """
).bindparams(bindparam("leads", type_=ARRAY(Uuid)), bindparam("events", type_=ARRAY(Uuid)))


class StageSettings(ServiceSettings):
    service: ClassVar[str] = "scoring"


class PoisonError(Exception):
    """What the use case raises for an event it was told to fail on."""


def erased(number: int, *, lead: int | None = None) -> Event[LeadErased]:
    """Event number n, about lead n unless told otherwise; the same number is the same event."""
    lead_id = derived_id("lead", number if lead is None else lead)
    payload = LeadErased(lead_id=lead_id, lead_ids=[lead_id])
    return Event.first(payload, source="/baton/ingest", occurred_at=AT, recorded_at=AT, id=derived_id("event", number))


@dataclass
class Stage:
    """One database, topics of its own, a producer, and the consumers of a test."""

    settings: StageSettings
    database: Database
    producer: Producer
    poison: set[UUID] = field(default_factory=set)

    async def count(self, tx: Tx, received: Sequence[Event[LeadErased]]) -> None:
        """The use case: notes each event; fails when a poison one is among them."""
        if self.poison and any(event.id in self.poison for event in received):
            raise PoisonError
        await tx.execute(
            INSERT, {"leads": [event.payload.lead_id for event in received], "events": [event.id for event in received]}
        )

    def handlers(self, usecase: UseCase | None = None) -> Handlers:
        return Handlers("scoring", {LeadErased: usecase or self.count})

    def consumer(self, *, instance: str = "0", usecase: UseCase | None = None) -> Consumer:
        settings = self.settings.model_copy(update={"instance": instance})
        return Consumer(settings, self.handlers(usecase), self.database)

    async def send(self, numbers: Collection[int], *, lead: int | None = None) -> None:
        records = [
            ("leads", event.key, event.payload.to_json(), headers_of(event))
            for event in (erased(number, lead=lead) for number in numbers)
        ]
        await self.producer.send_all(records, deadline_seconds=20)

    async def rows(self, sql: str, **values: object) -> list[Any]:
        async with reading(self.database) as tx:
            return list((await tx.execute(sql, values)).all())

    async def one(self, sql: str, **values: object) -> Any:  # noqa: ANN401 - a value of any column
        return (await self.rows(sql, **values))[0][0]

    async def applied(self) -> int:
        return int(await self.one("select count(*) from applied"))


@asynccontextmanager
async def staged(database_url: str, bootstrap_servers: str, topic_prefix: str) -> AsyncIterator[Stage]:
    """Set the stage: topics made, producer started, tables there."""
    settings = StageSettings(
        environment=Environment.TEST,
        database_url=database_url,
        kafka_bootstrap_servers=bootstrap_servers,
        topic_prefix=topic_prefix,
    )
    await create_topics(bootstrap_servers, partitions=PARTITIONS, replication=1, topic_prefix=topic_prefix)
    database = Database(database_url, pool_size=8)
    producer = Producer(bootstrap_servers, client_id="stage", topic_prefix=topic_prefix)
    await producer.start()
    async with database.engine.begin() as connection:
        for statement in TABLES:
            await connection.execute(text(statement))
    yield Stage(settings, database, producer)
    await producer.stop()
    await database.close()


@asynccontextmanager
async def running(*consumers: Consumer) -> AsyncIterator[None]:
    """Run consumers for the body; what one raises is raised at the end of it."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for consumer in consumers:
            group.create_task(consumer.run(stop))
        yield
        stop.set()


async def until(holds: Callable[[], Awaitable[bool]], *, within_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition of the database or of a part; raises AssertionError when it does not come."""
    deadline = monotonic() + within_seconds
    while not await holds():
        assert monotonic() < deadline, "it did not happen in time"
        await sleep(0.02)
