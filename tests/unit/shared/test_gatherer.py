"""Deadlines of single sends, on the loop that services run on; what a stuck partition holds up."""

import asyncio
from typing import Any

import uvloop
from aiokafka import TopicPartition

from shared.stream.gatherer import Gatherer, NotAcked, partition_of

PATIENCE_SECONDS = 30.0


class _Silent:
    """A client that knows one partition and is never given anything."""

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}


async def _sent_together(deadline_seconds: float) -> list[object]:
    gatherer = Gatherer(_Silent(), linger_seconds=60, note_end=lambda *_: None)
    await gatherer.learn("leads")
    sends = [gatherer.put("leads", b"k", b"v", [], deadline_seconds=deadline_seconds) for _ in range(3)]
    return list(await asyncio.gather(*sends, return_exceptions=True))


def test_a_deadline_below_the_loop_s_millisecond_ends_each_send_by_itself() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for seconds in (0.0001, 0.0004, 0.002):
            answers = runner.run(_sent_together(seconds))
            assert [type(answer) for answer in answers] == [NotAcked] * 3


class _HalfStuck:
    """A client of one broker with two partitions: of the first no batch ever ends, of the second each does at once."""

    def __init__(self) -> None:
        self.client = self.cluster = self
        self.stuck = asyncio.get_running_loop().create_future()
        self.given: list[int] = []

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0, 1}

    def leader_for_partition(self, _place: TopicPartition) -> int:
        return 1

    def create_batch(self) -> "_HalfStuck":
        return self

    def append(self, **_record: Any) -> int:  # noqa: ANN401 - as the client's
        return 1

    def close(self) -> None:
        """A batch is closed."""

    async def send_batch(self, _batch: object, _topic: str, *, partition: int) -> asyncio.Future[None]:
        self.given.append(partition)
        if partition == 0:
            return self.stuck
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def test_a_partition_that_cannot_be_written_holds_up_no_other_one_for_long() -> None:
    client = _HalfStuck()
    gatherer = Gatherer(client, linger_seconds=0.001, note_end=lambda *_: None)
    await gatherer.learn("leads")
    first, second = (next(key for key in (b"a", b"b", b"c", b"d") if partition_of(key, 2) == one) for one in (0, 1))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(gatherer.run())
        stuck = gatherer.put("leads", first, b"v", [], deadline_seconds=0.05)
        assert isinstance((await asyncio.gather(stuck, return_exceptions=True))[0], NotAcked)
        await gatherer.put("leads", second, b"v", [], deadline_seconds=PATIENCE_SECONDS)
        later = gatherer.put("leads", first, b"w", [], deadline_seconds=0.05)
        assert isinstance((await asyncio.gather(later, return_exceptions=True))[0], NotAcked)
        running.cancel()
    assert client.given.count(1) == 1
    assert client.given.count(0) <= 1, "a partition has one batch under way, and what waited for it was given up"
