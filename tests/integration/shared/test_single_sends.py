"""Single sends travel together: each is acknowledged by itself, keys keep their order, silence costs a deadline."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.local.kafka import STOP_SIGNAL, Kafka
from deploy.local.places import free_ports, scratch_folder
from deploy.local.processes import Running, end
from shared.stream.producer import Producer, Unacked
from shared.stream.topics import create_topics

TOPIC = "baton.leads"
PATIENCE_SECONDS = 30.0


async def read(bootstrap_servers: str, topic: str) -> list[tuple[int, bytes, bytes]]:
    """All records of a topic as (partition, key, value), each partition in order."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        assigned = consumer.assignment()
        ends = await consumer.end_offsets(list(assigned))
        found: list[tuple[int, bytes, bytes]] = []
        while any([await consumer.position(one) < ends[one] for one in assigned]):
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                found.extend((place.partition, record.key, record.value) for record in records)
        return found
    finally:
        await consumer.stop()


async def test_many_sends_at_once_are_all_kept_and_each_key_keeps_its_order(kafka: str, topic_prefix: str) -> None:
    await create_topics(kafka, partitions=3, replication=1, topic_prefix=topic_prefix)
    producer = Producer(kafka, client_id="many", topic_prefix=topic_prefix)
    await producer.start()
    sizes = (10, 60_000, 300_000)  # one fills a batch, one is above a batch's size
    sent = [(f"key-{n % 7}", b"%06d" % n + b"x" * sizes[n % 50 == 0] * (n % 40 == 0)) for n in range(1000)]
    sent.append(("key-big", b"x" * sizes[2]))
    await producer.send("leads", *sent[0], [], deadline_seconds=PATIENCE_SECONDS)  # the topic is known from here on
    sends = (producer.send("leads", key, value, [], deadline_seconds=PATIENCE_SECONDS) for key, value in sent[1:])
    await asyncio.gather(*sends)
    await producer.stop()
    found = await read(kafka, f"{topic_prefix}leads")
    assert len(found) == len(sent)
    for key in {key for key, _ in sent}:
        mine = [(partition, value) for partition, of, value in found if of == key.encode()]
        assert [value for _, value in mine] == [value for of, value in sent if of == key]
        assert len({partition for partition, _ in mine}) == 1


async def test_a_sender_that_gave_up_costs_its_neighbours_nothing(kafka: str, topic_prefix: str) -> None:
    await create_topics(kafka, partitions=1, replication=1, topic_prefix=topic_prefix)
    producer = Producer(kafka, client_id="left", topic_prefix=topic_prefix)
    await producer.start()
    await producer.send("leads", "k", b"first", [], deadline_seconds=PATIENCE_SECONDS)
    async with asyncio.TaskGroup() as group:
        sends = [
            group.create_task(producer.send("leads", "k", b"%d" % n, [], deadline_seconds=PATIENCE_SECONDS))
            for n in range(9)
        ]
        await asyncio.wait(sends, timeout=0)
        sends[4].cancel()
    await producer.stop()
    values = [value for _, _, value in await read(kafka, f"{topic_prefix}leads")]
    assert [value for value in values if value != b"4"] == [b"first", *(b"%d" % n for n in range(9) if n != 4)]


@pytest.fixture
def broker() -> Iterator[tuple[str, Running]]:
    """A broker of this test's own, that may be frozen."""
    own = Kafka(scratch_folder("baton-frozen-"), *free_ports(2))
    try:
        own.prepare()
        running = own.start()
        yield own.address, running
        os.kill(running.pid, signal.SIGCONT)
        end(running, by=STOP_SIGNAL, within_seconds=20)
    finally:
        shutil.rmtree(own.folder)


async def test_a_silent_broker_costs_each_sender_its_deadline_and_holds_little(broker: tuple[str, Running]) -> None:
    address, running = broker
    await create_topics(address, partitions=1, replication=1)
    producer = Producer(address, client_id="silent")
    await producer.start()
    await producer.send("leads", "k", b"before", [], deadline_seconds=PATIENCE_SECONDS)
    os.kill(running.pid, signal.SIGSTOP)
    for number in range(3):  # one turn is handed over, the others wait behind it
        sends = [producer.send("leads", "k", b"%d-%d" % (number, n), []) for n in range(5)]
        async with asyncio.timeout(PATIENCE_SECONDS / 2):  # an earlier send with a longer deadline delays nobody
            answers = await asyncio.gather(*sends, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unacked] * 5
    os.kill(running.pid, signal.SIGCONT)
    await producer.send("leads", "k", b"after", [], deadline_seconds=PATIENCE_SECONDS)
    await producer.stop()
    values = [value for _, _, value in await read(address, TOPIC)]
    assert (values[0], values[-1]) == (b"before", b"after")
    turns = {value.partition(b"-")[0] for value in values[1:-1]}
    assert len(turns) <= 1, "what waited was given up and never written"
    assert values[1:-1] == [b"%s-%d" % (turn, n) for turn in turns for n in range(5)]
