"""Reads kept records of one topic again, from a place to the end it had then, outside any group and bit by bit.

Commits nothing and remembers nothing: the caller keeps the places, so a killed process goes on where it wrote them.
Bounds: `most` records a bit, READ_SECONDS to hear from the broker and STOP_SECONDS to leave it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import Busy

__all__ = ["KeptBit", "KeptRecord", "KeptSpan", "read_kept", "span_of"]

READ_SECONDS = 6.0  # for a client to start and be answered; a job that waits longer goes on at its next step
STOP_SECONDS = 2.0
_POLL_MS = 1_000


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """One record as it lies on the log."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class KeptSpan:
    """By partition: the offset to go on at, and the one to stop before."""

    places: Mapping[int, int]
    ends: Mapping[int, int]

    @property
    def left(self) -> int:
        """How many records are not read yet."""
        return sum(max(0, end - self.places[partition]) for partition, end in self.ends.items())


@dataclass(frozen=True, slots=True)
class KeptBit:
    """Some records, in order per partition, and the span behind them."""

    records: Sequence[KeptRecord]
    span: KeptSpan


async def span_of(bootstrap_servers: str, topic: str, *, since_ms: int | None) -> KeptSpan:
    """What lies on a topic (full name) now: from the first record not older than a moment, or from the beginning.

    Raises Busy when the broker does not answer.
    """
    async with _client(bootstrap_servers, topic) as client:
        named = sorted(client.assignment())  # without a group a client reads all partitions of its topic
        begins, ends = await client.beginning_offsets(named), await client.end_offsets(named)
        if since_ms is not None:
            found = await client.offsets_for_times(dict.fromkeys(named, since_ms))
            begins = {one: found[one].offset if found[one] is not None else ends[one] for one in named}
    return KeptSpan({one.partition: begins[one] for one in named}, {one.partition: ends[one] for one in named})


async def read_kept(bootstrap_servers: str, topic: str, span: KeptSpan, *, most: int) -> KeptBit:
    """The next records of a span, at most so many. Raises Busy when the broker does not answer."""
    waiting = {number: place for number, place in span.places.items() if place < span.ends[number]}
    if not waiting:
        return KeptBit((), span)
    async with _client(bootstrap_servers) as client:
        client.assign([TopicPartition(topic, number) for number in waiting])
        for number, place in waiting.items():
            client.seek(TopicPartition(topic, number), place)
        found = await client.getmany(timeout_ms=_POLL_MS, max_records=most)
    places = dict(span.places)
    records: list[KeptRecord] = []
    for one, batch in found.items():
        for record in batch:
            places[one.partition] = record.offset + 1
            if record.offset < span.ends[one.partition]:
                records.append(KeptRecord(one.partition, record.offset, record.key, record.value, record.headers))
    return KeptBit(records, KeptSpan(places, span.ends))


@asynccontextmanager
async def _client(bootstrap_servers: str, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A client for one question: started and asked within READ_SECONDS, or Busy; stopped within STOP_SECONDS."""
    client = AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap_servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        async with asyncio.timeout(READ_SECONDS):
            await client.start()
            yield client
    except (KafkaError, TimeoutError, OSError) as error:
        raise Busy("Kafka does not answer now; the job goes on when it does.") from error
    finally:
        with suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(STOP_SECONDS):
                await client.stop()
