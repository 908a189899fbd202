"""Keeps a checked delivery: on `baton.deliveries`, acknowledged by all replicas, else synced in the spool; then 2xx.

The id is drawn once and is the same on both lanes, so ingest's inbox keeps one. A deployment without a folder for the
spool, or with a full or broken one, answers 503 with Retry-After while Kafka is away (RELIABILITY 3.1). What Kafka
would never take enters neither lane: it would wait in the spool for ever, before everybody else's.
"""

from collections.abc import Awaitable
from datetime import datetime
from hashlib import blake2b
from typing import Final, Protocol
from uuid import UUID

import orjson

from services.ingest.collector.lane import Lane, seconds_to_wait
from services.ingest.collector.spool import NotSpooled, Spool
from services.ingest.collector.spool_records import Spooled
from shared import clock
from shared.contracts.deliveries import DELIVERY_TYPE, REQUEST_HEADER
from shared.contracts.envelope import Headers
from shared.errors import Busy, TooLarge
from shared.ids import jitter, new_id_text
from shared.stream.producer import TooLargeToSend, Unacked, is_too_large
from shared.telemetry import announce, count, counter, is_watched

__all__ = ["TOPIC", "Keeper", "Sending", "partition_key", "record_headers"]

TOPIC: Final = "deliveries"
_HINT_BYTES: Final = 12
_SAME_OF_ALL: Final = (
    ("ce_specversion", b"1.0"),
    ("ce_source", b"/baton/ingest"),
    ("ce_type", DELIVERY_TYPE.encode()),
)
_count_kept: Final = counter("baton_accepted_total", lane="kafka")
_count_spooled: Final = counter("baton_accepted_total", lane="spool")


class Sending(Protocol):
    """The part of a producer the door needs."""

    @property
    def is_started(self) -> bool:
        """Whether `send` may be called."""

    async def send(
        self, topic: str, key: str, value: bytes, headers: Headers, *, deadline_seconds: float = ...
    ) -> None:
        """Return when acknowledged; raise Unacked at the deadline or on any error."""


class Keeper:
    """Writes deliveries; `hint_key` keys the hash that spreads people over partitions. No spool: 503 in its place."""

    def __init__(
        self, producer: Sending, *, hint_key: bytes, spool: Spool | None = None, lane: Lane | None = None
    ) -> None:
        self._producer, self._spool, self._lane = producer, spool, lane or Lane()
        self._hint_key = blake2b(hint_key).digest()  # of any length in, of a length that fits out

    def keep(
        self, body: bytes, *, request: dict[str, object], source_id: UUID, hint: str | None, received_at: datetime
    ) -> Awaitable[None]:
        """Write a delivery under a new id; await it. Raises Busy when neither lane took it, TooLarge."""
        delivery_id = new_id_text()
        key = delivery_id if hint is None else partition_key(self._hint_key, source_id, hint)
        return self.send(delivery_id, key, body, request=request, received_at=received_at)

    async def send(
        self, delivery_id: UUID | str, key: str, body: bytes, *, request: dict[str, object], received_at: datetime
    ) -> None:
        """Write one record under a given id. Raises Busy when neither Kafka nor the spool took it, TooLarge."""
        headers, lane = record_headers(delivery_id, key, request, received_at), self._lane
        if is_too_large(key, body, headers):
            raise _too_large()
        if self._producer.is_started and (not lane.is_straight or self._is_probe()):
            if is_watched():
                await announce("accept:before_send")
            try:
                await self._producer.send(TOPIC, key, body, headers)
            except TooLargeToSend as error:  # no word on whether Kafka is there
                raise _too_large() from error
            except Unacked:
                lane.missed(clock.monotonic())
                await announce("accept:deadline")
            else:
                if lane.is_straight:
                    lane.acked(clock.monotonic())
                if is_watched():
                    await announce("accept:after_ack")
                _count_kept()
                return
        await self._spool_it(Spooled(str(delivery_id), key, headers, body))

    def _is_probe(self) -> bool:
        """Whether this delivery asks Kafka: what waits in the spool does it, while something does."""
        has_other = self._spool is not None and self._spool.records > 0
        return not has_other and self._lane.takes_probe(clock.monotonic())

    async def _spool_it(self, record: Spooled) -> None:
        if self._spool is None:
            raise _no_room("kafka_away", fill=0)
        try:
            await self._spool.append(record)
        except NotSpooled as error:
            raise _no_room(error.slug, fill=self._spool.fill) from error
        _count_spooled()


def _no_room(slug: str, *, fill: float) -> Busy:
    count("baton_refused_total", slug=slug)
    return Busy("We cannot keep it now; send it again.", retry_after=seconds_to_wait(fill, jitter=jitter()))


def _too_large() -> TooLarge:
    return TooLarge("One delivery of this size cannot be kept; send it in smaller parts.", slug="delivery_too_large")


def partition_key(hint_key: bytes, source_id: UUID, hint: str) -> str:
    """The hex of a keyed BLAKE2b of source id and hint: spreads load, names nobody. hint_key: at most 64 bytes."""
    said = source_id.bytes + hint.encode(errors="replace")
    return blake2b(said, key=hint_key, digest_size=_HINT_BYTES).hexdigest()


def record_headers(delivery_id: UUID | str, key: str, request: dict[str, object], received_at: datetime) -> Headers:
    """The CloudEvents headers of a delivery, and the request beside its bytes."""
    own, moment, subject = str(delivery_id).encode(), received_at.isoformat().encode(), key.encode()
    return [
        *_SAME_OF_ALL,
        ("ce_id", own),
        ("ce_time", moment),
        ("ce_subject", subject),
        ("ce_partitionkey", subject),
        ("ce_recordedat", moment),
        ("ce_correlationid", own),
        ("ce_causationid", own),
        (REQUEST_HEADER, orjson.dumps(request, default=str)),  # ids from the driver are no plain UUIDs to orjson
    ]
