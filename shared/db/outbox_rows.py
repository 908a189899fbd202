"""Writes a transaction's pending events to the outbox: one statement, after all locks, in emission order.

The order proof (RELIABILITY 3.5) needs exactly that: an aggregate's row is locked before the ids of its outbox rows
are drawn.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from shared.contracts.catalog import event_row
from shared.contracts.envelope import Event, Headers, headers_of, value_of
from shared.db.connection import Connection
from shared.telemetry import traceparent

__all__ = ["headers_from_text", "headers_to_text", "write_outbox"]

_INSERT = text(
    """
    insert into outbox (topic, key, event_id, headers, payload)
    select topic, key, event_id, headers, payload
      from unnest(:topics, :keys, :event_ids, :headers, :payloads)
           with ordinality as row (topic, key, event_id, headers, payload, ordinal)
     order by ordinal
    """
).bindparams(
    bindparam("topics", type_=ARRAY(Text)),
    bindparam("keys", type_=ARRAY(Text)),
    bindparam("event_ids", type_=ARRAY(Uuid)),
    bindparam("headers", type_=ARRAY(Text)),
    bindparam("payloads", type_=ARRAY(Text)),
)


async def write_outbox(connection: Connection, events: Sequence[Event[Any]]) -> bool:
    """Insert the events in order; returns whether there were any."""
    if not events:
        return False
    now = traceparent()  # of the request or batch that this transaction belongs to
    await connection.execute(
        _INSERT,
        {
            "topics": [event_row(event.type).topic for event in events],
            "keys": [event.key for event in events],
            "event_ids": [event.id for event in events],
            "headers": [headers_to_text(_headers(event, now)) for event in events],
            "payloads": [value_of(event).decode() for event in events],
        },
    )
    return True


def _headers(event: Event[Any], now: str | None) -> Headers:
    return headers_of(event if now is None or event.traceparent else event.traced(now))


def headers_to_text(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Record headers as one JSON object, in order; names are unique in our envelope.

    Total: any bytes come back the same; a header without a value is left out.
    """
    return orjson.dumps({name: value.decode("latin-1") for name, value in headers if value is not None}).decode()


def headers_from_text(value: str) -> list[tuple[str, bytes]]:
    """The headers that `headers_to_text` wrote."""
    return [(name, text.encode("latin-1")) for name, text in orjson.loads(value).items()]
