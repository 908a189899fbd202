"""The one producer of a process: every send acknowledged by all replicas within its deadline, or of unknown result.

A missed deadline means unknown: the record will most likely be written (KAFKA 6), so the producer is kept through
outages and the same id is sent again. It is built anew only after an error that no retry mends, or when a broker
that answers metadata acknowledges nothing for 15 s. Knows no database.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from shared.clock import monotonic, sleep
from shared.contracts.envelope import Headers
from shared.errors import Fatal
from shared.ids import jitter
from shared.stream.cut_off import cut_off
from shared.stream.flow import back_off_seconds
from shared.stream.gatherer import Gatherer, NotAcked, partition_of
from shared.telemetry import Step, announce, count, is_watched, log

__all__ = ["PRODUCER_SETTINGS", "Producer", "TooLargeToSend", "Unacked", "is_too_large"]

SEND_SECONDS = 0.5
START_SECONDS = 30.0
STOP_SECONDS = 2.0
REQUEST_BYTES = 12 * 1024 * 1024
FRAME_BYTES = 64 * 1024  # what a request and a batch of one record put around it, with room to spare
BATCH_BYTES = 256 * 1024  # of one partition in one request: a round of the relay in few of them, not in dozens
NO_ACK_SECONDS = 15.0
LOOK_SECONDS = 1.0
REBUILDS_MOST, REBUILDS_WITHIN_SECONDS = 3, 300.0
PRODUCER_SETTINGS = {
    "acks": "all",
    "enable_idempotence": True,
    "request_timeout_ms": 5_000,
    "metadata_max_age_ms": 30_000,
    "max_request_size": REQUEST_BYTES,
    "max_batch_size": BATCH_BYTES,
}

ToSend = tuple[str, str, bytes, Headers]  # topic without prefix, key, value, headers


class Unacked(Exception):
    """The send was not acknowledged in time: its result is unknown. Send it again with the same id, on any lane."""


class TooLargeToSend(Unacked):
    """The record is above the bound of a request or of its topic: no try and no lane will ever bring it there."""


def is_too_large(key: str, value: bytes, headers: Headers) -> bool:
    """Whether a record can never be sent, whatever Kafka says."""
    return _size(key, value, headers) > REQUEST_BYTES - FRAME_BYTES


def _size(key: str, value: bytes, headers: Headers) -> int:
    return len(key.encode()) + len(value) + sum(len(name) + len(said) for name, said in headers)


class Producer:
    """One idempotent client behind a port of batches, deadlines and acknowledgements."""

    def __init__(
        self, bootstrap_servers: str, *, client_id: str, linger_ms: int = 1, topic_prefix: str = "baton."
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._client_id = client_id
        self._linger_ms = linger_ms
        self._prefix = topic_prefix
        self._kafka: Any = None
        self._gatherer: Gatherer | None = None
        self._gathering: asyncio.Task[None] | None = None
        self._must_rebuild = asyncio.Event()
        self._unacked_since: float | None = None
        self._missed_at = 0.0  # the latest miss: a single one with nothing sent after it is no silence

    @property
    def is_started(self) -> bool:
        """Whether `send` has a client to go to."""
        return self._kafka is not None

    # ---- life
    async def keep_started(self) -> None:
        """Start the client, again until Kafka is there, and rebuild it by the rule.

        Runs until cancelled; raises Fatal.
        """
        rebuilds: deque[float] = deque(maxlen=REBUILDS_MOST)
        while True:
            await self.start()
            await self._wait_for_rebuild()
            rebuilds.append(monotonic())
            if len(rebuilds) == REBUILDS_MOST and rebuilds[-1] - rebuilds[0] < REBUILDS_WITHIN_SECONDS:
                raise Fatal(f"The Kafka producer had to be built anew {REBUILDS_MOST} times within 5 minutes.")
            log.error("producer_rebuilt", client=self._client_id)
            await announce("producer:rebuild")
            await self.stop()

    async def start(self) -> None:
        """Connect, tried again until it succeeds."""
        tries = 0
        while self._kafka is None:
            kafka = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers,
                client_id=self._client_id,
                linger_ms=self._linger_ms,
                **PRODUCER_SETTINGS,
            )
            try:
                async with asyncio.timeout(START_SECONDS):
                    await kafka.start()
            except (KafkaError, TimeoutError, OSError) as error:
                tries += 1
                log.warning("producer_waits", reason=type(error).__name__, again=tries)
                await self._end(kafka)
                await sleep(back_off_seconds(tries, jitter=jitter()))
            else:
                self._must_rebuild.clear()
                self._unacked_since = None
                self._kafka = kafka
                self._gather(kafka)

    def _gather(self, kafka: Any) -> None:  # noqa: ANN401 - the client has no types
        """Let single records travel in batches; the task lives and ends with the client."""
        self._gatherer = Gatherer(kafka, linger_seconds=self._linger_ms / 1000, note_end=self._note_end)
        self._gathering = asyncio.get_running_loop().create_task(self._gatherer.run(), name="gatherer")
        self._gathering.add_done_callback(self._note_gathering_end)

    def _note_gathering_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("gatherer_failed", exc_info=task.exception())
            self._must_rebuild.set()

    async def stop(self) -> None:
        """Flush and leave, at most STOP_SECONDS, then give up what is left; doing it twice is fine."""
        kafka, self._kafka = self._kafka, None
        gathering, self._gathering = self._gathering, None
        try:
            if kafka is not None:
                await self._end(kafka)
        finally:
            if gathering is not None:
                gathering.cancel()
                await asyncio.wait([gathering])

    @staticmethod
    async def _end(kafka: Any) -> None:  # noqa: ANN401 - the client has no types
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await kafka.stop()
        except (TimeoutError, KafkaError, OSError):
            log.warning("producer_left_late")
            await cut_off(kafka, within_seconds=STOP_SECONDS)

    async def _wait_for_rebuild(self) -> None:
        while not self._must_rebuild.is_set():
            await sleep(LOOK_SECONDS)
            since = self._unacked_since
            is_silent = since is not None and self._missed_at - since > NO_ACK_SECONDS
            if is_silent and await self._does_broker_answer() and self._unacked_since is not None:
                return

    async def _does_broker_answer(self) -> bool:
        """Whether metadata come over a new connection: then the silence is our client's."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap_servers)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await admin.start()
        except (KafkaError, TimeoutError, OSError):
            return False
        else:
            return True
        finally:
            await admin.close()

    # ---- send
    async def send(
        self, topic: str, key: str, value: bytes, headers: Headers, *, deadline_seconds: float = SEND_SECONDS
    ) -> None:
        """Return when all in-sync replicas have the record. Raises Unacked at the deadline or on any error of Kafka.

        Raises TooLargeToSend for a record that no other try would bring there. topic is without the deployment's
        prefix. Records of several callers travel together.
        """
        gatherer, full_topic = self._gatherer, self._prefix + topic
        if self._kafka is None or gatherer is None:
            raise self._not_started(1)
        if is_too_large(key, value, headers):
            count("baton_produced_total", end="failed")
            raise TooLargeToSend("The record is above the bound of a request.")
        try:
            if not gatherer.knows(full_topic):
                async with asyncio.timeout(deadline_seconds):
                    await gatherer.learn(full_topic)
            await gatherer.put(full_topic, key.encode(), value, headers, deadline_seconds=deadline_seconds)
        except (NotAcked, TimeoutError, KafkaError) as error:
            # One above the bound of a batch travels alone, so it is the one that the broker means.
            is_alone = _size(key, value, headers) > BATCH_BYTES
            if is_alone and isinstance(error.__cause__, MessageSizeTooLargeError):
                raise TooLargeToSend("The record is above the bound of its topic.") from error
            raise Unacked("Kafka did not acknowledge in time, or not at all.") from error

    async def send_all(
        self, records: Sequence[ToSend], *, deadline_seconds: float, half_way: Step | None = None
    ) -> None:
        """Send records in order and return when all are acknowledged. Raises Unacked when any is not, in time.

        half_way is announced when half of them were handed to the client; only a test that listens cuts them in two,
        since each part is a batch of its own for the broker and for whoever reads.
        """
        kafka = self._kafka
        if kafka is None:
            raise self._not_started(len(records))
        half = len(records) // 2 if half_way is not None and is_watched() else 0
        try:
            async with asyncio.timeout(deadline_seconds):
                acks = await self._hand_over_batches(kafka, records[:half])
                if half_way is not None:
                    await announce(half_way)
                acks += await self._hand_over_batches(kafka, records[half:])
                for ack in acks:
                    await asyncio.shield(ack)
        except (TimeoutError, KafkaError) as error:
            self._note_end(len(records), error)
            raise Unacked(f"Kafka did not acknowledge: {type(error).__name__}.") from error
        self._note_end(len(records), None)

    @staticmethod
    def _not_started(records: int) -> Unacked:
        count("baton_produced_total", records, end="failed")
        return Unacked("The producer has not reached Kafka yet.")

    def _note_end(self, records: int, error: BaseException | None) -> None:
        """Count how records ended, and keep in mind how long nothing was acknowledged."""
        if error is None:
            self._unacked_since = None
            count("baton_produced_total", records, end="acked")
        elif isinstance(error, KafkaError) and not isinstance(error, KafkaTimeoutError):
            self._note_error(error)
            count("baton_produced_total", records, end="failed")
        else:  # a deadline; KafkaTimeoutError says that the client still holds what we gave it before
            self._note_silence()
            count("baton_produced_total", records, end="unknown")

    async def _hand_over_batches(self, kafka: Any, records: Sequence[ToSend]) -> list[asyncio.Future[Any]]:  # noqa: ANN401
        """One batch per partition, filled by us: a fifth of what the client charges for record after record."""
        acks: list[asyncio.Future[Any]] = []
        open_batches: dict[tuple[str, int], Any] = {}
        partitions: dict[str, int] = {}
        for topic, key, value, headers in records:
            if topic not in partitions:
                partitions[topic] = len(await kafka.partitions_for(self._prefix + topic))
            encoded = key.encode()
            place = (topic, partition_of(encoded, partitions[topic]))
            batch = open_batches.get(place)
            if batch is None or batch.append(timestamp=None, key=encoded, value=value, headers=headers) is None:
                if batch is not None:  # full: it goes first, the next one begins with this record
                    acks.append(await kafka.send_batch(batch, self._prefix + topic, partition=place[1]))
                batch = open_batches[place] = kafka.create_batch()
                batch.append(timestamp=None, key=encoded, value=value, headers=headers)
        for (topic, partition), batch in open_batches.items():
            acks.append(await kafka.send_batch(batch, self._prefix + topic, partition=partition))
        return acks

    def _note_silence(self) -> None:
        self._missed_at = monotonic()
        if self._unacked_since is None:
            self._unacked_since = self._missed_at

    def _note_error(self, error: KafkaError) -> None:
        if isinstance(error, MessageSizeTooLargeError):
            return
        self._note_silence()
        if not error.retriable:
            self._must_rebuild.set()
