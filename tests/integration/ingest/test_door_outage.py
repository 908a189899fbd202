"""Kafka away, the spool full, its disk failing: every 200 is kept once, everything else is a 503 that says when."""

import asyncio
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2
import pytest

from deploy.local.kafka import STOP_SIGNAL, Kafka
from deploy.local.places import free_ports, scratch_folder
from deploy.local.processes import Running, end
from shared.stream.topics import create_topics
from tests.integration.ingest.disks import FailingDisk
from tests.integration.ingest.door import Door, spooling_door, until

NOBODY = "127.0.0.1:9"  # a port where no broker listens


def event(number: int) -> bytes:
    return b'{"type":"track","event":"Form Submitted","userId":"u%d","messageId":"m%d"}' % (number, number)


async def send(door: Door, numbers: Sequence[int]) -> list[httpx2.Response]:
    """All at once, each answered."""
    return await asyncio.gather(*(door.post("/v1/track", event(number)) for number in numbers))


def statuses(answers: Sequence[httpx2.Response]) -> dict[int, int]:
    return dict(Counter(answer.status_code for answer in answers))


async def kept(door: Door) -> list[bytes]:
    """What lies in Kafka, each delivery once by its id: repeats are known by it."""
    return sorted({dict(record.headers)["ce_id"]: record.value for record in await door.records()}.values())


def on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.spool"))


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


async def test_kafka_frozen_costs_no_sender_its_200_and_everything_is_there_once_afterwards(
    broker: tuple[str, Running], swift_folder: Path
) -> None:
    address, running = broker
    await create_topics(address, partitions=2, replication=1)
    async with spooling_door(address, swift_folder) as (door, spool):
        assert statuses(await send(door, range(100))) == {200: 100}
        await until(lambda: spool.bytes_held == 0)
        os.kill(running.pid, signal.SIGSTOP)
        for start in range(100, 400, 100):
            assert statuses(await send(door, range(start, start + 100))) == {200: 100}
        assert spool.records == 300
        os.kill(running.pid, signal.SIGCONT)
        await until(lambda: spool.bytes_held == 0)
        assert statuses(await send(door, range(400, 500))) == {200: 100}
        await until(lambda: spool.bytes_held == 0)
        assert on_disk(swift_folder) == 0
        assert await kept(door) == sorted(event(number) for number in range(500))


async def test_with_kafka_well_the_spool_stays_at_0_bytes(kafka: str, topic_prefix: str, swift_folder: Path) -> None:
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    async with spooling_door(kafka, swift_folder, topic_prefix=topic_prefix, is_patient=True) as (door, spool):
        assert statuses(await send(door, range(300))) == {200: 300}
        assert (spool.bytes_held, spool.records, on_disk(swift_folder)) == (0, 0, 0)


async def test_a_full_spool_is_503_and_what_it_took_is_kept(broker: tuple[str, Running], swift_folder: Path) -> None:
    address, running = broker
    await create_topics(address, partitions=1, replication=1)
    async with spooling_door(address, swift_folder, bytes_max=40_000) as (door, spool):
        os.kill(running.pid, signal.SIGSTOP)
        answers = await send(door, range(100))
        held = on_disk(swift_folder)
        took = statuses(answers)[200]
        assert statuses(answers) == {200: took, 503: 100 - took}
        assert (0 < took < 100, held <= 40_000, spool.records) == (True, True, took)
        waits = {int(answer.headers["retry-after"]) for answer in answers if answer.status_code == 503}
        assert (min(waits) >= 1, max(waits) <= 30, len(waits) > 1) == (True, True, True)
        os.kill(running.pid, signal.SIGCONT)
        await until(lambda: spool.bytes_held == 0)
        accepted = [event(number) for number, answer in enumerate(answers) if answer.status_code == 200]
        assert set(accepted) <= set(await kept(door))
        assert statuses(await send(door, range(100, 110))) == {200: 10}


async def test_the_door_opens_before_kafka_does(kafka: str, topic_prefix: str, swift_folder: Path) -> None:
    async with spooling_door(NOBODY, swift_folder, is_kafka_there=False) as (door, spool):
        assert statuses(await send(door, range(50))) == {200: 50}
        assert spool.records == 50
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    async with spooling_door(kafka, swift_folder, topic_prefix=topic_prefix) as (door, spool):  # the next process
        await until(lambda: spool.bytes_held == 0)
        assert await kept(door) == sorted(event(number) for number in range(50))


async def test_after_a_failed_sync_no_2xx_goes_out_but_over_kafka(swift_folder: Path) -> None:
    disk = FailingDisk()
    async with spooling_door(NOBODY, swift_folder, disk=disk, is_kafka_there=False) as (door, spool):
        assert statuses(await send(door, range(3))) == {200: 3}
        disk.is_sync_failing = True
        assert statuses(await send(door, range(3, 20))) == {503: 17}
        disk.is_sync_failing = False
        assert statuses(await send(door, range(20, 30))) == {503: 10}
        assert (spool.is_usable, spool.records) == (False, 3)


async def test_a_full_disk_is_503_until_there_is_room(swift_folder: Path) -> None:
    disk = FailingDisk()
    async with spooling_door(NOBODY, swift_folder, disk=disk, is_kafka_there=False) as (door, spool):
        disk.is_write_failing = True
        assert statuses(await send(door, range(20))) == {503: 20}
        disk.is_write_failing = False
        assert statuses(await send(door, range(20, 40))) == {200: 20}
        assert spool.records == 20
