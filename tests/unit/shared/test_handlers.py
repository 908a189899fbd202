"""Which records a consumer reads: those of its types, less those whose bytes say that they are none of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.contracts.envelope import Event, headers_of, value_of
from shared.contracts.outcomes import ConnectorAdvanced
from shared.db.engine import Tx
from shared.stream.decode import receive
from shared.stream.handlers import Handlers

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)


@dataclass(frozen=True)
class _Record:
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None
    key: bytes | None = b"key"
    offset: int = 7


async def _take(_tx: Tx, _received: Sequence[Event[ConnectorAdvanced]]) -> None:
    """Takes nothing."""


HANDLERS = Handlers(
    consumer="test", table={ConnectorAdvanced: _take}, skips={ConnectorAdvanced: lambda value: b"none of ours" in value}
)


def _record(connector_id: str) -> _Record:
    payload = ConnectorAdvanced(connector_id=connector_id, watermark_at=NOW)
    event = Event.first(payload, source="/baton/feedback", occurred_at=NOW, recorded_at=NOW)
    return _Record(headers_of(event), value_of(event))


def test_a_record_that_is_none_of_ours_is_skipped_unread() -> None:
    skipped = receive(HANDLERS, _record("none of ours"), place="outcomes/0")
    assert (skipped.usecase, skipped.event, skipped.flaw) == (None, None, None)
    assert skipped.event_type == ConnectorAdvanced.TYPE


def test_others_of_its_type_are_read() -> None:
    taken = receive(HANDLERS, _record("crm"), place="outcomes/0")
    assert taken.usecase is _take
    assert taken.event is not None
