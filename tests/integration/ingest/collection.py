"""One source with both kinds of key for each sender that brings a key, in the door's directory and in the database."""

from typing import Any
from uuid import UUID

from services.ingest.adapters import COLLECTING
from services.ingest.collector import SourceDirectory
from services.ingest.domain.source import Source, SourceKey, SourceSettings, key_hash
from services.ingest.store import sources
from shared import clock
from shared.contracts.envelope import Event, Payload
from shared.db.engine import transaction
from shared.ids import derived_id
from shared.stream.handlers import RawEvent
from tests.integration.ingest.door import ORIGIN
from tests.integration.ingest.stage import IngestStage

__all__ = ["APP", "SENDERS", "add_sources", "collection_directory", "handled", "key_of", "source_of"]

APP = "marketing-site"
SENDERS = sorted({taker.SENDER for takers in COLLECTING.values() for taker in takers})


def source_of(sender: str) -> UUID:
    return derived_id("collection source", sender)


def key_of(sender: str, kind: str = "server_key") -> str:
    return f"{kind}-of-{sender}"


def collection_directory() -> SourceDirectory:
    """The sources as the door has them in memory."""
    directory = SourceDirectory()
    listed = [
        Source(
            source_of(sender),
            sender,
            sender,
            sender,
            SourceSettings(origins=frozenset({ORIGIN}), options={"app_id": APP} if sender == "snowplow" else {}),
        )
        for sender in SENDERS
    ]
    keys = [
        SourceKey(derived_id("key", sender, kind), source_of(sender), kind, key_hash(key_of(sender, kind)))
        for sender in SENDERS
        for kind in ("server_key", "browser_key")
    ]
    directory.replace(listed, keys, read_at=clock.monotonic())
    return directory


async def add_sources(stage: IngestStage) -> None:
    """The same sources as the consumer has them; everybody they send has consented."""
    async with transaction(stage.database, "command") as tx:
        for sender in SENDERS:
            await sources.add_source(
                tx, source_id=source_of(sender), sender=sender, name=sender, address=sender,
                settings={"consent": "granted", "origins": [ORIGIN]},
            )  # fmt: skip


async def handled(stage: IngestStage, records: list[Any]) -> list[Event[Payload]]:
    """What the consumer makes of the door's records, each as a batch of its own."""
    events: list[Event[Payload]] = []
    for record in records:
        headers = dict(record.headers)
        event_id = UUID(headers["ce_id"].decode())
        raw = RawEvent(event_id, headers["ce_type"].decode(), record.key.decode(), record.value, headers)
        events += await stage.handle(raw)
    return events
