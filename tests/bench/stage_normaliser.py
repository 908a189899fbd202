"""The price of one page view understood: consumer, parsing, identity, consent, activity, memory of ids and outbox.

People are made known first, by an identify and a first page each; then the topic of deliveries is filled with page
views of them, one a delivery, the consumer started, and the CPU it and PostgreSQL burnt until the lag is gone is
divided by the page views.
"""

import asyncio
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from cryptography.fernet import Fernet, MultiFernet

from services.ingest.collector.keep import TOPIC, record_headers
from services.ingest.usecases.sources import create_source
from shared.clock import machine_now
from shared.db.engine import Database, transaction
from shared.ids import derived_id
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from tests.bench.anchor import bare_microseconds, beside_bare
from tests.bench.figures import Figure, of_rounds
from tests.bench.rig import Rig, rig, wait_for

EVENTS = 40_000
PEOPLE = 10_000
ROUND_RECORDS = 1_000
WAIT_SECONDS = 300
PATHS = ("/", "/product", "/blog/first-steps", "/pricing", "/docs", "/about", "/customers/case-study")
AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537"
AT = machine_now() - timedelta(hours=2)


def run(rounds: int) -> list[Figure]:
    """Rounds over one pair of servers, each into a database of its own."""
    with rig() as servers:
        measured = [asyncio.run(_round(servers, number)) for number in range(rounds)]
    note = f"{EVENTS} page views of {PEOPLE} known people, one a delivery, browser key, 4 partitions"

    def of(key: str) -> list[float]:
        return [one[key] for one in measured]

    return [
        of_rounds("normaliser", "CPU a page view, ours", "us", of("ours"), is_better="lower"),
        of_rounds("normaliser", "CPU a page view, PostgreSQL", "us", of("postgres"), is_better="lower"),
        *beside_bare("normaliser", "CPU a page view in all", of("all"), of("bare"), gate=60, aim=35, note=note),
        of_rounds("normaliser", "page views a second", "1/s", of("rate"), is_better="higher"),
    ]


def _identify(number: int) -> tuple[str, dict[str, object]]:
    traits = {"email": f"person{number}@firm{number // 3}.example", "title": "manager", "name": f"Person {number}"}
    return "/v1/identify", {"type": "identify", "messageId": f"who-{number}", "traits": traits, **_common(number)}


def _page(name: str, number: int, person: int) -> tuple[str, dict[str, object]]:
    path = PATHS[number % len(PATHS)]
    page = {"url": f"https://www.example.com{path}", "path": path, "title": "A page", "search": ""}
    event = {"type": "page", "messageId": f"{name}-{number}", "properties": {**page, "referrer": ""}}
    return "/v1/page", {**event, **_common(person)}


def _common(person: int) -> dict[str, object]:
    context = {"userAgent": AGENT, "locale": "en-US", "library": {"name": "analytics.js", "version": "4.1"}}
    return {
        "anonymousId": f"browser-{person}",
        "timestamp": AT.isoformat(),
        "sentAt": AT.isoformat(),
        "context": context,
    }


def _record(source_id: UUID, path: str, event: dict[str, object]) -> tuple[str, str, bytes, Any]:
    request: dict[str, object] = {
        "source_id": str(source_id),
        "sender": "segment",
        "method": "POST",
        "path": path,
        "headers": {"content-type": "application/json"},
        "verified_by": "browser_key",
        "received_at": AT.isoformat(),
    }
    own = derived_id("bench delivery", event["messageId"])
    person = str(event["anonymousId"])
    return TOPIC, person, orjson.dumps(event), record_headers(own, person, request, AT)


async def _send(producer: Producer, source_id: UUID, events: Iterator[tuple[str, dict[str, object]]]) -> None:
    waiting: list[Any] = []
    for path, event in events:
        waiting.append(_record(source_id, path, event))
        if len(waiting) == ROUND_RECORDS:
            await producer.send_all(waiting, deadline_seconds=30)
            waiting = []
    assert not waiting, "whole rounds"


async def _source(url: str) -> UUID:
    database = Database(url, pool_size=1)
    try:
        async with transaction(database, "periodic") as tx:
            source_id, _ = await create_source(
                tx, sender="segment", name="bench", settings={"consent": "granted"}, key_kinds=["browser_key"],
                secret=None, wrapping=MultiFernet([Fernet(Fernet.generate_key())]),
            )  # fmt: skip
    finally:
        await database.close()
    return source_id


async def _round(servers: Rig, number: int) -> dict[str, float]:
    bare = await bare_microseconds(servers)
    prefix = f"normaliser{number}."
    url = await servers.database(f"bench_normaliser_{number}", "ingest")
    source_id = await _source(url)
    await create_topics(servers.kafka.address, partitions=4, replication=1, topic_prefix=prefix)
    connection = await asyncpg.connect(url)
    producer = Producer(servers.kafka.address, client_id="bench", linger_ms=0, topic_prefix=prefix)
    await producer.start()
    variables = {
        "BATON_ENVIRONMENT": "local",
        "BATON_INGEST_DATABASE_URL": url,
        "BATON_KAFKA_BOOTSTRAP_SERVERS": servers.kafka.address,
        "BATON_TOPIC_PREFIX": prefix,
        "BATON_INSTANCE": str(number),
    }

    async def handled() -> int:
        return int(await connection.fetchval("select coalesce(sum(next_offset), 0) from progress"))

    async def known() -> bool:
        return await handled() >= 2 * PEOPLE

    async def has_begun() -> bool:
        return await handled() > 2 * PEOPLE

    async def is_done() -> bool:
        return await handled() >= 2 * PEOPLE + EVENTS

    try:
        await _send(producer, source_id, (_identify(each) for each in range(PEOPLE)))
        await _send(producer, source_id, (_page("first", each, each) for each in range(PEOPLE)))
        servers.start("ingest", "services.ingest.app", "--role", "consumer", variables=variables)
        await wait_for(known, within_seconds=WAIT_SECONDS)
        servers.end("ingest", signal.SIGTERM)
        await _send(producer, source_id, (_page("page", each, each * 7919 % PEOPLE) for each in range(EVENTS)))
        servers.start("ingest", "services.ingest.app", "--role", "consumer", variables=variables)
        await wait_for(has_begun)
        loop = asyncio.get_running_loop()
        before, began, first = servers.cpu(), loop.time(), await handled()
        await wait_for(is_done, within_seconds=WAIT_SECONDS)
        after, seconds = servers.cpu(), loop.time() - began
        servers.end("ingest", signal.SIGTERM)
        kept = await connection.fetchval("select sum(activities) from delivery_result")
        assert kept == PEOPLE + EVENTS, f"{kept} of {PEOPLE + EVENTS} became activities"
    finally:
        await producer.stop()
        await connection.close()
    count = 2 * PEOPLE + EVENTS - first
    ours, postgres = ((after[name] - before[name]) / count * 1e6 for name in ("ours", "postgres"))
    return {"bare": bare, "ours": ours, "postgres": postgres, "all": ours + postgres, "rate": count / seconds}
