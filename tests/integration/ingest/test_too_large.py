"""What Kafka would never take: refused before either lane, no word on whether Kafka is there, 413 at the door."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from services.ingest.collector import Keeper, Lane, Spool
from shared.contracts.envelope import Headers
from shared.errors import TooLarge
from shared.ids import derived_id
from shared.stream.producer import FRAME_BYTES, REQUEST_BYTES, TooLargeToSend, is_too_large
from tests.integration.ingest.door import SERVER_KEY, directory_of, listening

NOW = datetime(2026, 11, 25, tzinfo=UTC)
DELIVERY = derived_id("delivery", "large")


class Topic:
    """Takes nothing above a bound of its own; counts what it was asked."""

    def __init__(self, bytes_max: int = REQUEST_BYTES) -> None:
        self.is_started, self.bytes_max, self.asked = True, bytes_max, 0

    async def send(
        self,
        topic: str,  # noqa: ARG002 - the form of a producer
        key: str,  # noqa: ARG002 - the form of a producer
        value: bytes,
        headers: Headers,  # noqa: ARG002 - the form of a producer
        *,
        deadline_seconds: float = 0.5,  # noqa: ARG002 - the form of a producer
    ) -> None:
        self.asked += 1
        if len(value) > self.bytes_max:
            raise TooLargeToSend("above the bound")


@pytest_asyncio.fixture
async def spool(swift_folder: Path) -> AsyncIterator[Spool]:
    made = Spool(swift_folder, bytes_max=64 * 1024 * 1024)
    await made.open()
    yield made
    await made.close()


@pytest.mark.parametrize("is_straight", [False, True])
async def test_a_delivery_above_a_request_enters_neither_lane(spool: Spool, *, is_straight: bool) -> None:
    topic, lane = Topic(), Lane()
    if is_straight:
        lane.missed(0)
    keeper = Keeper(topic, hint_key=b"k", spool=spool, lane=lane)
    with pytest.raises(TooLarge):
        await keeper.send(DELIVERY, "k", b"x" * (REQUEST_BYTES - FRAME_BYTES), request={}, received_at=NOW)
    assert (topic.asked, spool.records, lane.is_straight) == (0, 0, is_straight)


async def test_a_topic_s_refusal_of_a_size_is_no_missed_deadline(spool: Spool) -> None:
    topic, lane = Topic(bytes_max=10), Lane()
    keeper = Keeper(topic, hint_key=b"k", spool=spool, lane=lane)
    with pytest.raises(TooLarge):
        await keeper.send(DELIVERY, "k", b"x" * 11, request={}, received_at=NOW)
    await keeper.send(DELIVERY, "k", b"x" * 10, request={}, received_at=NOW)
    assert (topic.asked, spool.records, lane.is_straight) == (2, 0, False)


async def test_the_door_says_413() -> None:
    body = b'{"type":"track","event":"x","userId":"u"}'
    async with listening(Topic(bytes_max=10), directory_of()) as door:
        answer = await door.post("/v1/track", body, key=SERVER_KEY)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/delivery_too_large")


def test_headers_and_key_count() -> None:
    room = REQUEST_BYTES - FRAME_BYTES
    assert not is_too_large("k", b"x" * (room - 3), [("h", b"v")])
    assert is_too_large("k", b"x" * (room - 3), [("h", b"vv")])
