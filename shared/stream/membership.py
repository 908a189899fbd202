"""How a consumer is a member of its group: the proven client settings, and who it is to the broker.

Static membership: a killed worker that is back within the session finds its partitions waiting. Range assignor:
topics with the same key and partition count give one worker all partitions of a lead. Sources: RELIABILITY 4, KAFKA
5.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from shared.config import ServiceSettings
from shared.stream.handlers import Handlers
from shared.stream.partition import BATCH_SECONDS
from shared.stream.topics import FETCH_BYTES

__all__ = ["CONSUMER_SETTINGS", "group_client"]

CONSUMER_SETTINGS: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "partition_assignment_strategy": (RangePartitionAssignor,),
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 2_000,
    "rebalance_timeout_ms": 10_000,
    "max_poll_interval_ms": 60_000,
    "request_timeout_ms": 11_000,
    "isolation_level": "read_committed",
    "max_partition_fetch_bytes": FETCH_BYTES,
    "fetch_max_wait_ms": 250,
    "metadata_max_age_ms": 30_000,
}
assert CONSUMER_SETTINGS["max_poll_interval_ms"] / 1000 > BATCH_SECONDS * 2, "a long batch would loop for ever"


def group_client(settings: ServiceSettings, handlers: Handlers, *, worker: str) -> AIOKafkaConsumer:
    """A client that will read the handlers' topics as a static member; made just before it is started."""
    prefix = settings.topic_prefix
    return AIOKafkaConsumer(
        *(prefix + topic for topic in handlers.topics),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        client_id=worker,
        group_id=f"{prefix.rstrip('.')}-{handlers.consumer}",
        group_instance_id=f"{worker}-{_name_of(handlers.topics)}",
        **CONSUMER_SETTINGS,
    )


def _name_of(topics: Sequence[str]) -> str:
    """A short name of a set of topics: with other topics a static member is another one.

    The broker gives a returning static member its old assignment without looking at what it subscribes to now, and the
    client then refuses the topics it no longer reads.
    """
    return f"{crc32(','.join(topics).encode()):08x}"
