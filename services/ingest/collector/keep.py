"""Keeps a checked delivery: the record on `baton.deliveries`, acknowledged by all replicas before anybody hears 2xx.

The spool takes over here when Kafka does not answer; until a deployment has one, the answer is 503 with Retry-After.
"""

from collections.abc import Awaitable
from datetime import datetime
from hashlib import blake2b
from typing import Final, Protocol
from uuid import UUID

import orjson

from shared.contracts.deliveries import DELIVERY_TYPE, REQUEST_HEADER
from shared.contracts.envelope import Headers
from shared.errors import Busy
from shared.ids import new_id_text
from shared.stream.producer import Unacked
from shared.telemetry import announce, count, counter

__all__ = ["Keeper", "Sending", "partition_key", "record_headers"]

TOPIC: Final = "deliveries"
_RETRY_AFTER_SECONDS: Final = 2
_HINT_BYTES: Final = 12
_SAME_OF_ALL: Final = (
    ("ce_specversion", b"1.0"),
    ("ce_source", b"/baton/ingest"),
    ("ce_type", DELIVERY_TYPE.encode()),
)
_count_kept: Final = counter("baton_accepted_total", lane="kafka")


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
    """Writes deliveries; `hint_key` keys the hash that spreads people over partitions."""

    def __init__(self, producer: Sending, *, hint_key: bytes) -> None:
        self._producer = producer
        self._hint_key = blake2b(hint_key).digest()  # of any length in, of a length that fits out

    def keep(
        self, body: bytes, *, request: dict[str, object], source_id: UUID, hint: str | None, received_at: datetime
    ) -> Awaitable[None]:
        """Write a delivery under a new id; await it. Raises Busy when Kafka did not acknowledge in time."""
        delivery_id = new_id_text()
        key = delivery_id if hint is None else partition_key(self._hint_key, source_id, hint)
        return self.send(delivery_id, key, body, request=request, received_at=received_at)

    async def send(
        self, delivery_id: UUID | str, key: str, body: bytes, *, request: dict[str, object], received_at: datetime
    ) -> None:
        """Write one record under a given id. Raises Busy when Kafka did not acknowledge in time."""
        if not self._producer.is_started:
            count("baton_refused_total", slug="kafka_away")
            raise Busy("We cannot keep it now; send it again.", retry_after=_RETRY_AFTER_SECONDS)
        await announce("accept:before_send")
        try:
            await self._producer.send(TOPIC, key, body, record_headers(delivery_id, key, request, received_at))
        except Unacked as error:
            await announce("accept:deadline")
            raise Busy("We cannot keep it now; send it again.", retry_after=_RETRY_AFTER_SECONDS) from error
        await announce("accept:after_ack")
        _count_kept()


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
