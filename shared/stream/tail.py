"""Reads the newest records of one topic, outside any group: for a person who wants to see what came in lately.

Commits nothing and keeps nothing. Bounds: so many records of each partition, so many kept, READ_SECONDS in all; what
was not read by then is simply not shown.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.errors import Busy
from shared.stream.topics import FETCH_BYTES

__all__ = ["NewestRecord", "newest_records"]

READ_SECONDS = 5.0
STOP_SECONDS = 2.0
_POLL_MS = 500
_SILENT = "The log does not answer now; try again."


@dataclass(frozen=True, slots=True)
class NewestRecord:
    """One record: when it was written (milliseconds since 1970), its headers and bytes."""

    written_ms: int
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


async def newest_records(
    bootstrap_servers: str,
    topic: str,
    *,
    per_partition: int,
    most: int,
    is_wanted: Callable[[Mapping[str, bytes]], bool],
) -> list[NewestRecord]:
    """The newest `most` among the last per_partition records of each partition whose headers are wanted, newest first.

    topic: its full name. Raises Busy when the broker does not answer in time and nothing was found yet.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # of a record that retention took meanwhile
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    found: list[NewestRecord] = []
    try:
        async with asyncio.timeout(READ_SECONDS):
            await consumer.start()
            places = await _places(bootstrap_servers, topic)
            await _read(consumer, places, per_partition, lambda one: _keep(found, one, most, is_wanted))
    except (TimeoutError, KafkaError) as error:
        if not found:
            raise Busy(_SILENT, retry_after=5) from error
    finally:
        await _leave(consumer)
    return found


def _keep(
    found: list[NewestRecord], one: NewestRecord, most: int, is_wanted: Callable[[Mapping[str, bytes]], bool]
) -> None:
    """Keep it among the newest; never more than `most` bodies are in memory."""
    if is_wanted(dict(one.headers)):
        found.append(one)
        found.sort(key=lambda record: record.written_ms, reverse=True)
        del found[most:]


async def _read(
    consumer: AIOKafkaConsumer,
    places: list[TopicPartition],
    per_partition: int,
    take: Callable[[NewestRecord], None],
) -> None:
    consumer.assign(places)
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(begins[place], ends[place] - per_partition))
    waiting = {place for place in places if begins[place] < ends[place]}
    while waiting:
        for place, batch in (await consumer.getmany(*waiting, timeout_ms=_POLL_MS)).items():
            for record in batch:
                take(NewestRecord(record.timestamp, tuple(record.headers), record.value or b""))
            if batch[-1].offset + 1 >= ends[place]:
                waiting.discard(place)


async def _places(bootstrap_servers: str, topic: str) -> list[TopicPartition]:
    """The topic's partitions, asked of the broker itself: a fresh client knows no topic yet."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return [TopicPartition(topic, one["partition"]) for one in described["partitions"]]


async def _leave(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await consumer.stop()
    except (TimeoutError, KafkaError):
        return
