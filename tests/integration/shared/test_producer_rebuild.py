"""The producer is built anew after an error that no retry mends, and what was given up writes nothing any more."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.processes import Running
from shared.errors import Fatal
from shared.stream.producer import REBUILDS_MOST, Producer, Unacked
from shared.stream.topics import create_topics
from shared.telemetry import Step, install_hook
from tests.integration.shared.stage import until
from tests.integration.shared.test_single_sends import PATIENCE_SECONDS, TOPIC, broker, read

__all__ = ["broker"]  # the fixture: a broker of the test's own, that may be frozen


async def _set_topic(address: str, **settings: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs)])
    finally:
        await admin.close()


async def _is_acked(producer: Producer, value: bytes) -> bool:
    try:
        await producer.send("leads", "k", value, [], deadline_seconds=2)
    except Unacked:
        return False
    return True


async def _send_until(producer: Producer, value: bytes, *, is_acked: bool) -> None:
    """Send until it is acknowledged, or until it is not: a broker takes a changed setting up in its own time."""

    async def holds() -> bool:
        return await _is_acked(producer, value) is is_acked

    await until(holds)


@asynccontextmanager
async def _kept_started(producer: Producer) -> AsyncIterator[asyncio.Task[None]]:
    keeping = asyncio.ensure_future(producer.keep_started())
    try:
        yield keeping
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await producer.stop()


async def test_an_error_that_no_retry_mends_builds_it_anew_and_the_next_client_sends(
    broker: tuple[str, Running],
) -> None:
    address, _ = broker
    await create_topics(address, partitions=1, replication=1)
    rebuilt = asyncio.Event()

    async def note(step: Step) -> None:
        if step == "producer:rebuild":
            rebuilt.set()

    install_hook(note)
    try:
        producer = Producer(address, client_id="rebuilt")
        async with _kept_started(producer):
            await _send_until(producer, b"before", is_acked=True)
            await _set_topic(address, message_timestamp_before_max_ms="0")  # whatever we send is too old
            await _send_until(producer, b"refused", is_acked=False)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await rebuilt.wait()
            await _set_topic(address, message_timestamp_before_max_ms="86400000")
            await _send_until(producer, b"after", is_acked=True)
    finally:
        install_hook(None)
    values = [value for _, _, value in await read(address, TOPIC)]
    assert (values[0], values[-1]) == (b"before", b"after")


async def test_what_must_be_built_anew_again_and_again_ends_the_process(broker: tuple[str, Running]) -> None:
    address, _ = broker
    await create_topics(address, partitions=1, replication=1)
    await _set_topic(address, message_timestamp_before_max_ms="0")
    producer = Producer(address, client_id="hopeless")
    async with _kept_started(producer) as keeping:

        async def has_ended() -> bool:
            await _is_acked(producer, b"refused")
            return keeping.done()

        await until(has_ended)
        with pytest.raises(Fatal, match=f"{REBUILDS_MOST} times"):
            await keeping


async def test_a_client_that_was_given_up_has_no_task_left_and_writes_at_most_what_was_under_way(
    broker: tuple[str, Running],
) -> None:
    address, running = broker
    await create_topics(address, partitions=2, replication=1)
    before = asyncio.all_tasks()
    producer = Producer(address, client_id="given-up", linger_ms=0)
    await producer.start()
    await producer.send_all([("leads", "k", b"before", [])], deadline_seconds=PATIENCE_SECONDS)
    os.kill(running.pid, signal.SIGSTOP)
    for number in range(5):  # the first is sent and waits for its answer, the others wait in the client behind it
        with pytest.raises(Unacked):
            await producer.send_all([("leads", "k", b"%d" % number, [])], deadline_seconds=0.2)
    await producer.stop()
    assert asyncio.all_tasks() == before
    os.kill(running.pid, signal.SIGCONT)
    await producer.start()
    await producer.send_all([("leads", "k", b"after", [])], deadline_seconds=PATIENCE_SECONDS)
    await producer.stop()
    values = [value for _, _, value in await read(address, TOPIC)]
    assert sorted(values) in ([b"after", b"before"], [b"0", b"after", b"before"])
