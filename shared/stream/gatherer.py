"""Gathers single records into batches: one round a broker is under way, the next one fills meanwhile.

A round is one batch of each of the broker's partitions for which something waits. So a record costs its share of a
batch and no timer of its own, and the records of a key stay in order. What still waits here at its deadline, because
Kafka says nothing, is never handed over: only what was handed over may be written later. A batch whose records all
reached theirs holds up its own partition alone: one that cannot be written must not take the others along.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any
from zlib import crc32

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.envelope import Headers

__all__ = ["Gatherer", "NotAcked", "partition_of"]


class NotAcked(Exception):
    """A record was not acknowledged: at its deadline (no cause), or with the client's error as the cause."""


@dataclass(slots=True, eq=False)
class _Queue:
    """What waits for one partition, in order; at most one batch of it is under way."""

    place: TopicPartition
    waiting: deque["_Record"] = field(default_factory=deque)
    is_under_way: bool = False


@dataclass(slots=True, eq=False)
class _Record:
    """One record, its deadline in the loop's time, and what its sender awaits."""

    key: bytes
    value: bytes
    headers: Headers
    due: float
    queue: _Queue
    acked: asyncio.Future[None]


class Gatherer:
    """The way of single records into one started client.

    note_end(records, error) hears how records ended: error is None when they were acknowledged, NotAcked at a deadline,
    else the client's. `run` must run as long as records are put.
    """

    def __init__(
        self,
        kafka: Any,  # noqa: ANN401 - the client has no types
        *,
        linger_seconds: float,
        note_end: Callable[[int, BaseException | None], None],
    ) -> None:
        self._kafka = kafka
        self._linger_seconds = linger_seconds
        self._note_end = note_end
        self._queues: dict[str, list[_Queue]] = {}
        self._ready: dict[_Queue, None] = {}  # something waits and nothing is under way, oldest first
        # Whose batches a broker's next round waits for; of None nobody knows the broker.
        self._under_way: defaultdict[int | None, set[_Queue]] = defaultdict(set)
        self._woken = asyncio.Event()
        self._is_lingering = False
        self._due: dict[float, deque[_Record]] = {}  # by how long they may take: each in the order of their deadlines
        self._timer: asyncio.Handle | None = None
        self._looks_at = inf  # when the timer will; uvloop gives one without `when` for less than half a millisecond
        self._loop = asyncio.get_running_loop()

    def knows(self, topic: str) -> bool:
        """Whether `put` may be called for a topic; `learn` it first."""
        return topic in self._queues

    async def learn(self, topic: str) -> None:
        """Ask for a topic's partitions: one queue each. Waits as long as there is no such topic."""
        partitions = await self._kafka.partitions_for(topic)
        queues = self._queues.setdefault(topic, [])
        queues.extend(_Queue(TopicPartition(topic, number)) for number in range(len(queues), len(partitions)))

    def put(
        self, topic: str, key: bytes, value: bytes, headers: Headers, *, deadline_seconds: float
    ) -> Awaitable[None]:
        """Queue a record; what is returned ends when it is acknowledged, or raises NotAcked."""
        queues = self._queues[topic]
        queue = queues[partition_of(key, len(queues))]
        due = self._loop.time() + deadline_seconds
        record = _Record(key, value, headers, due, queue, self._loop.create_future())
        queue.waiting.append(record)
        if not queue.is_under_way:
            self._ready[queue] = None
            self._linger()
        line = self._due.get(deadline_seconds)
        if line is None:
            line = self._due[deadline_seconds] = deque()
        line.append(record)
        if due < self._looks_at:
            self._look_at(due)
        return record.acked

    async def run(self) -> None:
        """Hand over what is ready for brokers that have answered, each time there is something. Until cancelled.

        The client asks a broker one thing after the other: what were handed over earlier would only wait there, and not
        grow any more.
        """
        while True:
            await self._woken.wait()
            self._woken.clear()
            brokers = {queue: self._kafka.client.cluster.leader_for_partition(queue.place) for queue in self._ready}
            free = {queue: broker for queue, broker in brokers.items() if not self._under_way[broker]}
            for queue, broker in free.items():
                del self._ready[queue]
                await self._hand_over(queue, broker)
            for topic in {queue.place.topic for queue in free}:
                with suppress(KafkaError):  # the batches say it themselves
                    await self.learn(topic)  # it may have grown

    async def _hand_over(self, queue: _Queue, broker: int | None) -> None:
        """Give the client one batch of what waits; nothing of its partition is with the client, so this is no wait."""
        batch = self._kafka.create_batch()
        taken = _filled(batch, queue.waiting)
        if not taken:
            return
        queue.is_under_way = True
        self._under_way[broker].add(queue)
        late = self._loop.call_at(max(record.due for record in taken), self._let_others_go, queue, broker)
        end = partial(self._end, queue, broker, taken, late)
        try:
            ack = await self._kafka.send_batch(batch, queue.place.topic, partition=queue.place.partition)
        except KafkaError as error:
            end(error)
        else:
            ack.add_done_callback(lambda done: end(NotAcked() if done.cancelled() else done.exception()))

    def _end(
        self,
        queue: _Queue,
        broker: int | None,
        taken: list[_Record],
        late: asyncio.Handle,
        error: BaseException | None,
    ) -> None:
        """Settle the records of one batch and let the next one go."""
        late.cancel()
        queue.is_under_way = False
        self._settle(taken, error)
        if queue.waiting:
            self._ready[queue] = None
        self._let_others_go(queue, broker)

    def _let_others_go(self, queue: _Queue, broker: int | None) -> None:
        """The broker's next round waits no longer for this one's batch."""
        self._under_way[broker].discard(queue)
        if self._ready and not self._under_way[broker]:
            self._linger()  # who has just been answered sends the next one: together with what waits it fills a round

    def _linger(self) -> None:
        """Wake `run` a moment later."""
        if not self._is_lingering:
            self._is_lingering = True
            self._loop.call_later(self._linger_seconds, self._wake)

    def _wake(self) -> None:
        self._is_lingering = False
        self._woken.set()

    def _settle(self, records: list[_Record], error: BaseException | None) -> None:
        """Tell senders that still wait how it ended; the others heard at their deadline."""
        still = [record for record in records if not record.acked.done()]
        for record in still:
            if error is None:
                record.acked.set_result(None)
            else:
                failure = NotAcked()
                failure.__cause__ = None if isinstance(error, NotAcked) else error
                record.acked.set_exception(failure)
        for line in self._due.values():
            while line and line[0].acked.done():
                line.popleft()
        if still:
            self._note_end(len(still), error)

    def _expire(self) -> None:
        """Settle what has reached its deadline, and look again when the next one will."""
        self._timer, self._looks_at = None, inf
        expired: list[_Record] = []
        now = self._loop.time()
        for line in self._due.values():
            while line and line[0].due <= now:
                expired.append(line.popleft())
        self._settle(expired, NotAcked())
        for queue in {record.queue for record in expired}:
            while queue.waiting and queue.waiting[0].acked.done():
                queue.waiting.popleft()  # its bytes must not wait for Kafka to come back
        next_due = min((line[0].due for line in self._due.values() if line), default=None)
        if next_due is not None:
            self._look_at(next_due)

    def _look_at(self, due: float) -> None:
        """Let `_expire` run then, and not later."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._looks_at = self._loop.call_at(due, self._expire), due


def partition_of(key: bytes, partitions: int) -> int:
    """Where a key goes: crc32, as librdkafka's `consistent`; murmur2 in Python costs more than the rest of a send."""
    return crc32(key) % partitions


def _filled(batch: Any, waiting: deque[_Record]) -> list[_Record]:  # noqa: ANN401 - the client has no types
    """Move what waits into a batch, as much as it holds (the first always fits), and close it.

    What nobody waits for any more is left out. An open batch would linger once more inside the client.
    """
    taken: list[_Record] = []
    while waiting:
        record = waiting[0]
        if not record.acked.done():
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
                break
            taken.append(record)
        waiting.popleft()
    batch.close()
    return taken
