"""Where logs begin and end, asked on a connection of its own: behind a fetch that waits, an answer takes 250 ms."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.telemetry import log

__all__ = ["LogEnds", "Place", "end_offsets"]

START_SECONDS = 30.0
STOP_SECONDS = 2.0
METADATA_MS = 30_000

Place = tuple[str, int]  # topic without the deployment's prefix, partition


class LogEnds:
    """A client that reads nothing: it only asks for offsets.

    Raises KafkaError or TimeoutError, tells no group anything.
    """

    def __init__(self, bootstrap_servers: str, *, topic_prefix: str = "baton.", client_id: str = "baton-ends") -> None:
        self._prefix = topic_prefix
        self._kafka: Any = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            client_id=client_id,
            enable_auto_commit=False,
            metadata_max_age_ms=METADATA_MS,
        )

    async def start(self) -> None:
        """Connect, within START_SECONDS."""
        async with asyncio.timeout(START_SECONDS):
            await self._kafka.start()

    async def stop(self) -> None:
        """Leave, within STOP_SECONDS; doing it twice is fine."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._kafka.stop()
        except (TimeoutError, KafkaError) as error:
            log.warning("ends_left_late", reason=type(error).__name__)

    async def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset that is still there, of each partition."""
        return self._named(await self._kafka.beginning_offsets(self._partitions(places)))

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset the next record of each partition will have."""
        return self._named(await self._kafka.end_offsets(self._partitions(places)))

    def _partitions(self, places: Iterable[Place]) -> list[TopicPartition]:
        return [TopicPartition(self._prefix + topic, partition) for topic, partition in places]

    def _named(self, offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
        return {(one.topic.removeprefix(self._prefix), one.partition): offset for one, offset in offsets.items()}


async def end_offsets(
    bootstrap_servers: str, partitions: Mapping[str, int], *, topic_prefix: str = "baton."
) -> dict[Place, int]:
    """The end of each partition of the given topics (name → partitions), asked once."""
    client = LogEnds(bootstrap_servers, topic_prefix=topic_prefix)
    try:
        await client.start()
        return await client.ends((name, index) for name, number in partitions.items() for index in range(number))
    finally:
        await client.stop()
