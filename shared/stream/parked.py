"""Events past their limit: kept alone with their reason, until a person replays or discards them.

Replay goes through the same use case with the same ids; a lower version is ignored by the use case. Discarding needs
a reason. Bounds: 10,000 open ones of ours per consumer (then the partition stops), 1,000 open ones per source to
blame (then only counted).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.db.engine import Database, ReadTx, Tx, is_transient, transaction
from shared.db.outbox_rows import headers_from_text, headers_to_text
from shared.errors import AppError, NotFound, Refused
from shared.ids import derived_id
from shared.stream.decode import Received, receive
from shared.stream.handlers import Handlers, ParkError
from shared.telemetry import count, log

__all__ = [
    "NO_HEADERS",
    "OPEN_MOST",
    "Parked",
    "TooManyParked",
    "apply_again",
    "discard",
    "keep",
    "list_rows",
    "open_count",
    "replay",
    "show_row",
]

OPEN_MOST = 10_000
OPEN_PER_SOURCE_MOST = 1_000
DETAIL_MOST = 2_000
PAYLOAD_SHOWN_BYTES = 16 * 1024
NO_HEADERS = headers_to_text([])  # with no payload: of an event whose content was let go


class TooManyParked(Exception):
    """The consumer has as many open parked events as a person can look at: the partition stops and pages."""


@dataclass(frozen=True, slots=True)
class Parked:
    """What is kept of one event."""

    consumer: str
    topic: str
    partition: int
    received: Received
    slug: str
    detail: str
    is_ours: bool
    source: str


_OPEN = text("select count(*) from parked where consumer = :consumer and state = 'open' and is_ours")
_OPEN_OF_SOURCE = text(
    "select count(*) from parked where consumer = :consumer and state = 'open' and not is_ours and source = :source"
)
_KEEP = text(
    """
    insert into parked (id, consumer, topic, partition, "offset", event_id, event_type, key, source, headers, payload,
                        reason, detail, is_ours)
    values (:id, :consumer, :topic, :partition, :offset, :event_id, :event_type, :key, :source, :headers, :payload,
            :reason, :detail, :is_ours)
    on conflict (id) do nothing
    """
)


async def keep(tx: Tx, one: Parked) -> bool:
    """Write the parked row. False when its source has so many that it is only counted. Raises TooManyParked."""
    count("baton_parked_total", reason=one.slug)
    bound = {"consumer": one.consumer, "source": one.source}
    if one.is_ours and (await tx.execute(_OPEN, bound)).scalar_one() >= OPEN_MOST:
        raise TooManyParked(f"{one.consumer} has {OPEN_MOST} open parked events: replay or discard them first.")
    if not one.is_ours and (await tx.execute(_OPEN_OF_SOURCE, bound)).scalar_one() >= OPEN_PER_SOURCE_MOST:
        return False
    record = one.received.record
    await tx.execute(
        _KEEP,
        {
            **bound,
            "id": derived_id("parked", one.consumer, one.received.event_id),
            "topic": one.topic,
            "partition": one.partition,
            "offset": record.offset,
            "event_id": one.received.event_id,
            "event_type": one.received.event_type,
            "key": _shown(record.key),
            "headers": headers_to_text(record.headers),
            "payload": record.value or b"",
            "reason": one.slug,
            "detail": _shown(one.detail.encode())[:DETAIL_MOST],
            "is_ours": one.is_ours,
        },
    )
    return True


_LIST = text(
    """
    select id, consumer, topic, partition, "offset", event_id, event_type, key, source, reason, detail, state,
           parked_at, settled_at, settled_by, settled_because
      from parked where state = :state order by parked_at desc, id limit :limit
    """
)
_SHOW = text("select * from parked where id = :id")
_OPEN_ALL = text("select count(*) from parked where state = 'open'")


async def list_rows(tx: ReadTx, *, state: str = "open", limit: int = 50) -> list[dict[str, Any]]:
    """The newest parked events of a state, without their payload."""
    rows = await tx.execute(_LIST, {"state": state, "limit": limit})
    return [dict(row) for row in rows.mappings()]


async def show_row(tx: ReadTx, parked_id: UUID) -> dict[str, Any] | None:
    """One parked event with headers and the first bytes of its payload as text, or None."""
    row = (await tx.execute(_SHOW, {"id": parked_id})).mappings().first()
    if row is None:
        return None
    payload = bytes(row["payload"])
    shown = payload[:PAYLOAD_SHOWN_BYTES].decode(errors="replace")
    return {**row, "headers": headers_from_text(row["headers"]), "payload": shown, "payload_bytes": len(payload)}


async def open_count(tx: ReadTx) -> int:
    """How many parked events wait for a person."""
    return int((await tx.execute(_OPEN_ALL)).scalar_one())


@dataclass(frozen=True, slots=True)
class _Stored:
    """A parked row in the shape of a fetched record."""

    offset: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


_LOCK = text("select * from parked where id = :id for update")
_SETTLE = text(
    """
    update parked set state = :state, settled_at = now(), settled_by = :by, settled_because = :reason where id = :id
    """
)


async def replay(database: Database, handlers: Sequence[Handlers], parked_id: UUID, *, by: str) -> None:
    """Apply a parked event through its use case, with its own id, and settle it in the same transaction.

    Raises NotFound, Refused when it is settled already or still fails (the row stays open), and whatever says that the
    same replay may succeed later.
    """
    async with transaction(database, "park:replay") as tx:
        row = await _lock_open(tx, parked_id)
        table = next((one for one in handlers if one.consumer == row["consumer"]), None)
        if table is None:
            raise Refused(f"No consumer named {row['consumer']} runs in this process: replay it where it does.")
        if not row["payload"] and row["headers"] == NO_HEADERS:
            raise Refused("Its body is gone: nothing is left to replay. Discard it.")
        stored = _Stored(row["offset"], row["key"].encode(), bytes(row["payload"]), headers_from_text(row["headers"]))
        received = receive(table, stored, place=f"{row['topic']}/{row['partition']}")
        await apply_again(tx, received)
        await tx.execute(_SETTLE, {"id": parked_id, "state": "replayed", "by": by, "reason": None})


async def apply_again(tx: Tx, received: Received) -> None:
    """Apply an event that was handled or parked before, past the inbox; its use case drops what it knows.

    Raises Refused when it cannot be applied, and whatever says that the same may succeed later.
    """
    if received.usecase is None:
        raise Refused(f"It still cannot be applied: {received.flaw or 'no use case reads this type'}.")
    try:
        await received.usecase(tx, [received.event])
    except (ParkError, AppError) as error:
        if isinstance(error, AppError) and error.retryable:
            raise
        raise Refused(f"It still cannot be applied: {error}.") from error
    except Exception as error:
        if is_transient(error):
            raise
        log.exception("replay_failed", event_id=str(received.event_id))
        raise Refused(f"It still cannot be applied: our own {type(error).__name__}; the log says more.") from error


async def discard(database: Database, parked_id: UUID, *, by: str, reason: str) -> None:
    """Give a parked event up, with a reason that stays. Raises NotFound, Refused when it is settled already."""
    async with transaction(database, "park") as tx:
        await _lock_open(tx, parked_id)
        await tx.execute(_SETTLE, {"id": parked_id, "state": "discarded", "by": by, "reason": reason})


async def _lock_open(tx: Tx, parked_id: UUID) -> dict[str, Any]:
    row = (await tx.execute(_LOCK, {"id": parked_id})).mappings().first()
    if row is None:
        raise NotFound("There is no parked event with this id.")
    if row["state"] != "open":
        raise Refused(f"This event was {row['state']} already by {row['settled_by']}; nothing was done.")
    return dict(row)


def _shown(value: bytes | None) -> str:
    """Bytes as text that PostgreSQL takes."""
    return (value or b"").decode(errors="replace").replace("\x00", "\ufffd")
