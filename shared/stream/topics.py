"""Topics: made from the catalog, never automatically; checked at start, their sizes compared.

Their ends asked for lag and opening.

Partitions are never added in place (key to partition must not change); a wider topic is a new topic.
"""

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError

from shared.clock import sleep
from shared.contracts.catalog import TOPICS
from shared.errors import Fatal
from shared.stream.producer import REQUEST_BYTES

__all__ = ["FETCH_BYTES", "check_topics", "create_topics"]

FETCH_BYTES = REQUEST_BYTES  # a record the consumer cannot fetch would stop its partition
ADMIN_SECONDS = 30.0
LOOK_SECONDS = 0.2


async def create_topics(
    bootstrap_servers: str, *, partitions: int, replication: int, topic_prefix: str = "baton."
) -> list[str]:
    """Make the catalog's topics that are missing, wait until their metadata is known, and return the names made."""
    async with asyncio.timeout(ADMIN_SECONDS):
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        await admin.start()
        try:
            there = set(await admin.list_topics())
            missing = [topic for topic in TOPICS.values() if topic_prefix + topic.name not in there]
            wanted = [
                NewTopic(
                    name=topic_prefix + topic.name,
                    num_partitions=1 if topic.is_single else partitions,
                    replication_factor=replication,
                    topic_configs={
                        "retention.ms": str(topic.retention_ms),
                        "max.message.bytes": str(topic.record_bytes_max),
                        "min.insync.replicas": str(max(1, replication - 1)),
                        "unclean.leader.election.enable": "false",
                        "cleanup.policy": "delete",
                    },
                )
                for topic in missing
            ]
            if wanted:
                answer = await admin.create_topics(wanted)
                _raise_errors(answer.topic_errors)
            names = [topic_prefix + topic.name for topic in TOPICS.values()]
            while await _without_leader(admin, names):
                await sleep(LOOK_SECONDS)
            return [topic.name for topic in missing]
        finally:
            await admin.close()


def _raise_errors(errors: Iterable[tuple[str, int, str | None]]) -> None:
    for name, code, message in errors:
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise Fatal(f"Kafka did not make the topic {name}: {message or code}.")


async def _without_leader(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    described = await admin.describe_topics(names)
    return any(
        one["error_code"] != 0 or any(partition["leader"] < 0 for partition in one["partitions"]) for one in described
    )


async def check_topics(bootstrap_servers: str, names: Iterable[str], *, topic_prefix: str = "baton.") -> dict[str, int]:
    """The number of partitions of each topic. Raises Fatal when one is missing or takes too small records."""
    wanted = list(names)
    async with asyncio.timeout(ADMIN_SECONDS):
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        await admin.start()
        try:
            there = set(await admin.list_topics())
            missing = [name for name in wanted if topic_prefix + name not in there]
            if missing:
                raise Fatal(
                    f"These topics do not exist: {', '.join(missing)}. Make them: `baton up`, or `make topics`."
                )
            described = await admin.describe_topics([topic_prefix + name for name in wanted])
            await _check_sizes(admin, wanted, topic_prefix)
            return {one["topic"].removeprefix(topic_prefix): len(one["partitions"]) for one in described}
        finally:
            await admin.close()


async def _check_sizes(admin: AIOKafkaAdminClient, names: list[str], topic_prefix: str) -> None:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic_prefix + name) for name in names]
    for answer in await admin.describe_configs(resources):
        for _, _, _, resource, entries in answer.resources:
            name = resource.removeprefix(topic_prefix)
            found = next((int(entry[1]) for entry in entries if entry[0] == "max.message.bytes"), 0)
            wanted = TOPICS[name].record_bytes_max
            if found < wanted or wanted > FETCH_BYTES:
                raise Fatal(
                    f"The topic {name} takes records of {found} bytes, {wanted} are needed: set max.message.bytes."
                )
