"""Reads one topic from its start to the end it has now, outside any group: for the command line's reports and tests.

Commits nothing, decides nothing; repeats are dropped by id as every reader of ours must. Bound: READ_SECONDS without
progress.
"""

import asyncio
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts.catalog import MODELS
from shared.contracts.envelope import Event, Payload, event_from
from shared.errors import Busy

__all__ = ["read_topic"]

# Without a record for so long before the end is reached, the broker is not answering.
READ_SECONDS = 20
_POLL_MS = 500


async def read_topic(bootstrap_servers: str, topic: str) -> AsyncIterator[Event[Payload]]:
    """Every event of the topic (full name) once, in order per key. Raises Busy when the broker stops answering."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False, auto_offset_reset="none")
    async with asyncio.timeout(READ_SECONDS):
        await consumer.start()
    try:
        partitions = await _partitions(bootstrap_servers, topic)
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, begins[partition])
        seen: set[bytes] = set()
        waiting = {partition for partition in partitions if begins[partition] < ends[partition]}
        while waiting:
            records = await _poll(consumer)
            for partition, batch in records.items():
                for record in batch:
                    headers = dict(record.headers)
                    model = MODELS.get(headers["ce_type"].decode())
                    if model is not None and headers["ce_id"] not in seen:
                        seen.add(headers["ce_id"])
                        yield event_from(dict(record.headers), record.value, model)
                if batch[-1].offset + 1 >= ends[partition]:
                    waiting.discard(partition)
    finally:
        await consumer.stop()


async def _partitions(bootstrap_servers: str, topic: str) -> list[TopicPartition]:
    """The topic's partitions, asked of the broker itself: a fresh client knows no topic yet."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    async with asyncio.timeout(READ_SECONDS):
        await admin.start()
        try:
            (described,) = await admin.describe_topics([topic])
        finally:
            await admin.close()
    if described["error_code"] != 0:
        raise Busy(f"The broker does not know the topic {topic}; run baton topics.")
    return [TopicPartition(topic, one["partition"]) for one in described["partitions"]]


async def _poll(consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[ConsumerRecord]]:
    records: dict[TopicPartition, list[ConsumerRecord]] = {}
    try:
        async with asyncio.timeout(READ_SECONDS):
            while not records:
                records = await consumer.getmany(timeout_ms=_POLL_MS)
    except TimeoutError as silence:
        raise Busy(f"The broker sent nothing for {READ_SECONDS} s; look at its log and repeat.") from silence
    return records
