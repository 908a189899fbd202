"""The drain: in order, a probe while Kafka is away, nothing leaves the spool unacknowledged, nothing is sent twice."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.ingest.collector import Drain, Lane, Spool
from services.ingest.collector.spool_records import Spooled, unpacked
from shared.contracts.envelope import Headers
from shared.stream.producer import TooLargeToSend, Unacked
from tests.integration.ingest.disks import FailingDisk


class Broker:
    """Takes what is not in `away`, by key; remembers in order what it took."""

    def __init__(self) -> None:
        self.is_started = True
        self.away: set[str] = set()
        self.too_large: set[bytes] = set()
        self.taken: list[bytes] = []
        self.asked = 0

    async def send(
        self, topic: str, key: str, value: bytes, headers: Headers, *, deadline_seconds: float = 0.5
    ) -> None:
        assert (topic, dict(headers)["ce_id"], deadline_seconds > 0) == ("deliveries", value, True)
        self.asked += 1
        if value in self.too_large:
            raise TooLargeToSend("too large")
        if key in self.away:
            raise Unacked("away")
        self.taken.append(value)


def record(number: int) -> Spooled:
    own = b"%03d" % number
    return Spooled(f"id-{number}", f"key-{number % 3}", [("ce_id", own)], own)


def aside(folder: Path) -> list[list[Spooled]]:
    return [unpacked(file.read_bytes())[0] for file in sorted(folder.glob("*.aside"))]


@pytest_asyncio.fixture
async def spool(swift_folder: Path) -> AsyncIterator[Spool]:
    made = Spool(swift_folder, bytes_max=1024 * 1024)
    await made.open()
    for number in range(30):
        await made.append(record(number))
    yield made
    await made.close()


def bodies(numbers: range) -> list[bytes]:
    return [b"%03d" % number for number in numbers]


async def test_everything_goes_in_its_order_and_the_lane_opens(spool: Spool) -> None:
    broker, lane = Broker(), Lane()
    lane.missed(0)
    await Drain(spool, broker, lane).empty()
    assert (broker.taken, spool.bytes_held, lane.is_straight) == (bodies(range(30)), 0, False)


async def test_while_kafka_is_away_one_record_is_the_probe(spool: Spool) -> None:
    broker, lane = Broker(), Lane()
    broker.away = {"key-0", "key-1", "key-2"}
    lane.missed(0)
    drain = Drain(spool, broker, lane)
    for _ in range(3):
        await drain.empty()
    assert (broker.asked, spool.records, lane.is_straight) == (3, 30, True)


async def test_without_a_producer_nothing_is_read(spool: Spool) -> None:
    broker = Broker()
    broker.is_started = False
    await Drain(spool, broker, Lane()).empty()
    assert (broker.asked, spool.records) == (0, 30)


async def test_a_partition_that_is_away_holds_the_others_up_but_doubles_nothing(spool: Spool) -> None:
    broker, lane = Broker(), Lane()
    broker.away = {"key-1"}
    drain = Drain(spool, broker, lane)
    for _ in range(5):
        await drain.empty()
    assert (len(broker.taken), spool.records, lane.is_straight) == (20, 30, True)
    broker.away.clear()
    await drain.empty()
    assert Counter(broker.taken) == Counter(bodies(range(30)))
    assert spool.bytes_held == 0


async def test_what_kafka_never_takes_is_set_aside_and_holds_nobody_up(spool: Spool, swift_folder: Path) -> None:
    broker, lane = Broker(), Lane()
    broker.too_large = {b"000", b"007"}
    lane.missed(0)
    await Drain(spool, broker, lane).empty()
    assert (len(broker.taken), spool.bytes_held, lane.is_straight) == (28, 0, False)
    assert aside(swift_folder) == [[record(0)], [record(7)]]


async def test_a_size_says_nothing_of_kafka(spool: Spool) -> None:
    broker, lane = Broker(), Lane()
    broker.too_large = {b"%03d" % number for number in range(30)}
    await Drain(spool, broker, lane).empty()
    assert (spool.records, lane.is_straight) == (0, False)
    lane.missed(0)
    await spool.append(record(1))
    await Drain(spool, broker, lane).empty()
    assert (spool.records, lane.is_straight) == (0, True)


async def test_while_it_cannot_be_set_aside_it_stays(swift_folder: Path) -> None:
    disk, broker, lane = FailingDisk(), Broker(), Lane()
    spool = Spool(swift_folder, bytes_max=1024 * 1024, disk=disk)
    await spool.open()
    for number in range(3):
        await spool.append(record(number))
    broker.too_large = {b"001"}
    drain = Drain(spool, broker, lane)
    disk.is_write_failing = True
    await drain.empty()
    assert (spool.records, lane.is_straight) == (3, False)
    disk.is_write_failing = False
    await drain.empty()
    assert (spool.records, Counter(broker.taken)) == (0, Counter([b"000", b"002"]))
    await spool.close()
