"""Reads fetched records: which use case an event goes to, its id, and what is wrong with it. Pure.

A type without a use case is skipped, and so is what a consumer need not read; a record that is no event of ours keeps
its flaw and is parked by the flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from shared.contracts.catalog import MODELS
from shared.contracts.envelope import BadRecord, Event, event_from, id_of
from shared.ids import derived_id
from shared.stream.handlers import Handlers, RawEvent, UseCase

__all__ = ["Fetched", "Received", "receive"]


class Fetched(Protocol):
    """A record as the client hands it over."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def key(self) -> bytes | None:
        """The record's key."""

    @property
    def value(self) -> bytes | None:
        """The record's value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The record's headers."""


@dataclass(frozen=True, slots=True)
class Received:
    """One record, read. usecase is None for skipped types; flaw says why the record is no event of ours."""

    record: Fetched
    event_id: UUID
    event_type: str
    event: Event[Any] | RawEvent | None
    usecase: UseCase | None
    flaw: str | None = None


def receive(handlers: Handlers, record: Fetched, *, place: str) -> Received:
    """Read one record. place names topic and partition, for the id of a record that has none."""
    # One without a value is as good as none; other writers than ours may send it.
    headers = {name: value for name, value in record.headers if value is not None}
    event_type = ""
    try:
        event_type = headers["ce_type"].decode()
        usecase = handlers.usecase_of(event_type, record.value)
        if usecase is None:
            return Received(record, id_of(headers["ce_id"]), event_type, None, None)
        model = MODELS.get(event_type)
        if model is None:
            key = (record.key or b"").decode()
            raw = RawEvent(id_of(headers["ce_id"]), event_type, key, record.value or b"", headers)
            return Received(record, raw.id, event_type, raw, usecase)
        event = event_from(headers, record.value, model)
        return Received(record, event.id, event_type, event, usecase)
    except KeyError as missing:
        flaw = f"header {missing.args[0]} is missing"
    except BadRecord as bad:
        flaw = str(bad)
    except ValueError as wrong:
        flaw = f"a header is malformed ({type(wrong).__name__})"
    return Received(record, _id_or_derived(headers, place, record.offset), event_type, None, None, flaw)


def _id_or_derived(headers: dict[str, bytes], place: str, offset: int) -> UUID:
    try:
        return id_of(headers["ce_id"])
    except (KeyError, ValueError):
        return derived_id("unreadable", place, offset)
