"""Keeps a checked delivery: the record on `baton.deliveries`, acknowledged by all replicas before anybody hears 2xx.

The spool takes over here when Kafka does not answer; until a deployment has one, the answer is 503 with Retry-After.
"""

import base64
import hmac
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import orjson

from shared.contracts.deliveries import DELIVERY_TYPE, REQUEST_HEADER
from shared.contracts.envelope import Headers
from shared.errors import Busy
from shared.ids import new_id
from shared.stream.producer import Unacked
from shared.telemetry import announce, count

__all__ = ["Keeper", "Sending", "partition_key", "record_headers"]

TOPIC: Final = "deliveries"
_RETRY_AFTER_SECONDS: Final = 2
_SOURCE: Final = b"/baton/ingest"


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
        self._hint_key = hint_key

    async def keep(
        self, body: bytes, *, request: dict[str, object], source_id: UUID, hint: str | None, received_at: datetime
    ) -> UUID:
        """The delivery's id once it is kept. Raises Busy when Kafka did not acknowledge in time."""
        delivery_id = new_id()
        key = str(delivery_id) if hint is None else partition_key(self._hint_key, source_id, hint)
        await self.send(delivery_id, key, body, request=request, received_at=received_at)
        return delivery_id

    async def send(
        self, delivery_id: UUID, key: str, body: bytes, *, request: dict[str, object], received_at: datetime
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
        count("baton_accepted_total", lane="kafka")


def partition_key(hint_key: bytes, source_id: UUID, hint: str) -> str:
    """base64url of the first 16 bytes of HMAC-SHA256(hint key, source id, 0, hint): spreads load, names nobody."""
    digest = hmac.digest(hint_key, source_id.bytes + b"\x00" + hint.encode(errors="replace"), "sha256")
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def record_headers(delivery_id: UUID, key: str, request: dict[str, object], received_at: datetime) -> Headers:
    """The CloudEvents headers of a delivery, and the request beside its bytes."""
    own, moment, subject = str(delivery_id).encode(), received_at.isoformat().encode(), key.encode()
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", own),
        ("ce_source", _SOURCE),
        ("ce_type", DELIVERY_TYPE.encode()),
        ("ce_time", moment),
        ("ce_subject", subject),
        ("ce_partitionkey", subject),
        ("ce_recordedat", moment),
        ("ce_correlationid", own),
        ("ce_causationid", own),
        (REQUEST_HEADER, orjson.dumps(request, default=str)),  # ids from the driver are no plain UUIDs to orjson
    ]
