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
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.clock import monotonic, sleep
from shared.contracts.envelope import Headers
from shared.errors import Fatal
from shared.ids import jitter
from shared.stream.flow import back_off_seconds
from shared.telemetry import Step, announce, count, log

__all__ = ["PRODUCER_SETTINGS", "Producer", "Unacked"]

SEND_SECONDS = 0.5
START_SECONDS = 30.0
STOP_SECONDS = 2.0
REQUEST_BYTES = 12 * 1024 * 1024
NO_ACK_SECONDS = 15.0
LOOK_SECONDS = 1.0
REBUILDS_MOST, REBUILDS_WITHIN_SECONDS = 3, 300.0
PRODUCER_SETTINGS = {
    "acks": "all",
    "enable_idempotence": True,
    "request_timeout_ms": 5_000,
    "metadata_max_age_ms": 30_000,
    "max_request_size": REQUEST_BYTES,
}

ToSend = tuple[str, str, bytes, Headers]  # topic without prefix, key, value, headers


class Unacked(Exception):
    """The send was not acknowledged in time: its result is unknown. Send it again with the same id, on any lane."""


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
        self._must_rebuild = asyncio.Event()
        self._unacked_since: float | None = None

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

    async def stop(self) -> None:
        """Flush and leave, at most STOP_SECONDS; doing it twice is fine."""
        kafka, self._kafka = self._kafka, None
        if kafka is not None:
            await self._end(kafka)

    @staticmethod
    async def _end(kafka: Any) -> None:  # noqa: ANN401 - the client has no types
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await kafka.stop()
        except (TimeoutError, KafkaError, OSError):
            log.warning("producer_left_late")

    async def _wait_for_rebuild(self) -> None:
        while not self._must_rebuild.is_set():
            await sleep(LOOK_SECONDS)
            since = self._unacked_since
            if since is not None and monotonic() - since > NO_ACK_SECONDS and await self._does_broker_answer():
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

        topic is without the deployment's prefix.
        """
        await self.send_all([(topic, key, value, headers)], deadline_seconds=deadline_seconds)

    async def send_all(
        self, records: Sequence[ToSend], *, deadline_seconds: float, half_way: Step | None = None
    ) -> None:
        """Send records in order and return when all are acknowledged. Raises Unacked when any is not, in time.

        half_way is announced when half of them were handed to the client.
        """
        if self._kafka is None:
            count("baton_produced_total", len(records), end="failed")
            raise Unacked("The producer has not reached Kafka yet.")
        try:
            async with asyncio.timeout(deadline_seconds):
                acks = []
                for index, (topic, key, value, headers) in enumerate(records):
                    if half_way is not None and index == len(records) // 2:
                        await announce(half_way)
                    acks.append(
                        await self._kafka.send(
                            self._prefix + topic, value=value, key=key.encode(), headers=list(headers)
                        )
                    )
                for ack in acks:
                    await asyncio.shield(ack)
        except TimeoutError as error:
            self._note_silence()
            count("baton_produced_total", len(records), end="unknown")
            raise Unacked("Kafka did not acknowledge in time.") from error
        except KafkaError as error:
            self._note_error(error)
            count("baton_produced_total", len(records), end="failed")
            raise Unacked(f"Kafka answered {type(error).__name__}.") from error
        self._unacked_since = None
        count("baton_produced_total", len(records), end="acked")

    def _note_silence(self) -> None:
        if self._unacked_since is None:
            self._unacked_since = monotonic()

    def _note_error(self, error: KafkaError) -> None:
        if isinstance(error, MessageSizeTooLargeError):
            return
        self._note_silence()
        if not error.retriable:
            self._must_rebuild.set()
