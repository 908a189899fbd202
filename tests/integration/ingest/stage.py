"""The consumer's half of ingest on a real database: deliveries in, rows and pending events out; no broker."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.ingest.collector.keep import record_headers
from services.ingest.domain.keys import Key, KeyKind
from services.ingest.store import sources
from services.ingest.usecases.normalise import KeyedHash, normalise_deliveries
from shared.contracts.deliveries import DELIVERY_TYPE
from shared.contracts.envelope import Event, Payload
from shared.db.engine import Database, reading, transaction
from shared.ids import derived_id, new_id
from shared.stream.handlers import RawEvent

HASHED = KeyedHash(b"a key of tests")
AT = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


def raw_event(
    body: bytes,
    *,
    source_id: UUID,
    sender: str = "segment",
    path: str = "/v1/batch",
    verified_by: str = "server_key",
    received_at: datetime = AT,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    is_gpc: bool = False,
    parked_as: str | None = None,
    delivery_id: UUID | None = None,
) -> RawEvent:
    """A record as the door would write it."""
    request: dict[str, object] = {
        "source_id": str(source_id),
        "sender": sender,
        "method": "POST",
        "path": path,
        "query": query,
        "headers": dict(headers or {}),
        "verified_by": verified_by,
        "received_at": received_at.isoformat(),
        "is_gpc": is_gpc,
        "parked_as": parked_as,
    }
    own = delivery_id or new_id()
    return RawEvent(own, DELIVERY_TYPE, str(own), body, dict(record_headers(own, str(own), request, received_at)))


def batch(*events: Mapping[str, object], sent_at: datetime | None = None) -> bytes:
    """A Segment batch."""
    return json.dumps({"batch": list(events), "sentAt": None if sent_at is None else sent_at.isoformat()}).encode()


def track(event: str, *, at: datetime = AT, message_id: str | None = None, **ids: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": event,
        "timestamp": at.isoformat(),
        "messageId": message_id or str(new_id()),
        **ids,
    }


def page(url: str, *, at: datetime = AT, message_id: str | None = None, **ids: object) -> dict[str, object]:
    properties = {"url": url}
    return {
        "type": "page",
        "timestamp": at.isoformat(),
        "messageId": message_id or str(new_id()),
        "properties": properties,
        **ids,
    }


def identify(*, at: datetime = AT, message_id: str | None = None, **ids: object) -> dict[str, object]:
    return {"type": "identify", "timestamp": at.isoformat(), "messageId": message_id or str(new_id()), **ids}


@dataclass
class IngestStage:
    """One fresh database with a source that states consent `granted`, and one that states nothing."""

    database: Database
    source_id: UUID = field(default_factory=new_id)
    silent_source_id: UUID = field(default_factory=new_id)

    async def prepare(self) -> "IngestStage":
        async with transaction(self.database, "command") as tx:
            for source_id, consent in ((self.source_id, "granted"), (self.silent_source_id, "unknown")):
                await sources.add_source(
                    tx,
                    source_id=source_id,
                    sender="segment",
                    name=consent,
                    address=str(source_id),
                    settings={"consent": consent, "properties": ["plan"]},
                )
        return self

    async def handle(self, *received: RawEvent) -> list[Event[Payload]]:
        """Handle a batch of deliveries and return the events that left with it."""
        async with transaction(self.database, "batch") as tx:
            await tx.execute(
                """
                insert into inbox (consumer, event_id) select 'ingest', unnest(cast(:ids as uuid[]))
                on conflict do nothing
                """,
                {"ids": [one.id for one in received]},
            )
            await normalise_deliveries(tx, received, hashed=HASHED)
            return list(tx.pending)

    async def send(self, *events: Mapping[str, object], **options: Any) -> list[Event[Payload]]:  # noqa: ANN401
        """Handle one Segment batch."""
        return await self.handle(
            raw_event(batch(*events), source_id=options.pop("source_id", self.source_id), **options)
        )

    async def rows(self, sql: str, **values: object) -> list[Any]:
        async with reading(self.database) as tx:
            return list((await tx.execute(sql, values)).all())

    async def one(self, sql: str, **values: object) -> Any:  # noqa: ANN401 - a value of any column
        return (await self.rows(sql, **values))[0][0]

    async def change(self, sql: str, **values: object) -> None:
        async with transaction(self.database, "command") as tx:
            await tx.execute(sql, values)

    async def lead_of(self, kind: str, value: str) -> UUID:
        """The member that owns a key."""
        pair = HASHED.of(Key(KeyKind(kind), value))
        found: UUID = await self.one(
            "select lead_id from identity_key where kind = :kind and value_hmac = :hmac", kind=pair[0], hmac=pair[1]
        )
        return found


def of_type(events: Sequence[Event[Payload]], name: str) -> list[Any]:
    """The payloads of the events of one type, `lead.identified` style."""
    return [event.payload for event in events if event.type == f"baton.{name}.v1"]


def numbered(number: int) -> UUID:
    return derived_id("test", number)
