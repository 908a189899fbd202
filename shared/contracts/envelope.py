"""What travels on every topic: a payload in a CloudEvents 1.0 envelope, Kafka binary mode, JSON.

Our own reading and writing of the headers (0.9 and 1.7 us a record; the library is the oracle of a property test). A
record that
lacks a header we need raises `BadRecord`: the consumer parks it. Knows no Kafka client: a record is key, value and
headers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.ids import derived_id, new_id

__all__ = [
    "BadRecord",
    "Event",
    "Headers",
    "Part",
    "Payload",
    "Record",
    "canonical",
    "event_from",
    "headers_of",
    "id_of",
    "value_of",
]

Headers = Sequence[tuple[str, bytes]]
_ID = TypeAdapter(UUID).validator  # makes an id in a fifth of the time that UUID itself takes
P_co = TypeVar("P_co", bound="Payload", covariant=True)
P = TypeVar("P", bound="Payload")


class BadRecord(ValueError):
    """A record whose headers or value are not an event of ours."""


class Part(BaseModel):
    """A nested object of a payload: flat, titled, without nulls."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Payload(BaseModel):
    """The data of one event type: flat, no unions, no nulls (absent instead), unknown fields ignored by readers.

    TYPE is `baton.<noun>.<past verb>.v<major>`; KEY names the field whose value is the record's key and the subject.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    KEY: ClassVar[str] = "lead_id"

    def key(self) -> str:
        """The record's key: all records of one key are in one partition, in order."""
        return str(getattr(self, self.KEY))

    def to_json(self) -> bytes:
        """The record's value: JSON without nulls."""
        return self.model_dump_json(exclude_none=True).encode()


@dataclass(frozen=True, slots=True)
class Event(Generic[P_co]):
    """One event: what happened (payload), when in the world and when we learned it, and what it follows from.

    occurred_at and recorded_at are aware UTC. correlation_id is the first cause (a delivery, a person's command),
    causation_id the
    event or command it follows from directly.
    """

    id: UUID
    payload: P_co
    source: str
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID
    traceparent: str | None = None

    @property
    def type(self) -> str:
        """The event's type, `baton.<noun>.<past verb>.v<major>`."""
        return self.payload.TYPE

    @property
    def key(self) -> str:
        """The record's key."""
        return self.payload.key()

    @staticmethod
    def first(
        payload: P,
        *,
        source: str,
        occurred_at: datetime,
        recorded_at: datetime,
        id: UUID | None = None,  # noqa: A002
    ) -> "Event[P]":
        """An event that starts a chain: what a person's command or a delivery causes directly."""
        own = id or new_id()
        return Event(own, payload, source, occurred_at, recorded_at, own, own)

    @staticmethod
    def caused(
        payload: P,
        *,
        by: "Event[Any]",
        source: str,
        recorded_at: datetime,
        ordinal: int = 0,
        occurred_at: datetime | None = None,
        id: UUID | None = None,  # noqa: A002
    ) -> "Event[P]":
        """An event that follows from another; its id is derived, so a re-run emits the same one.

        ordinal tells apart several events of one type by one cause; occurred_at defaults to the cause's.
        """
        return Event(
            id=id or derived_id(source, by.id, payload.TYPE, ordinal),
            payload=payload,
            source=source,
            occurred_at=occurred_at or by.occurred_at,
            recorded_at=recorded_at,
            correlation_id=by.correlation_id,
            causation_id=by.id,
            traceparent=by.traceparent,
        )

    def traced(self, traceparent: str | None) -> "Event[P_co]":
        """The same event under another trace context."""
        return replace(self, traceparent=traceparent)


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as we see it: where it lies, key, value, headers."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def headers_of(event: Event[Payload]) -> list[tuple[str, bytes]]:
    """The CloudEvents headers of an event, Kafka binary mode, in a fixed order."""
    key = event.key.encode()
    own = str(event.id).encode()
    cause = own if event.causation_id is event.id else str(event.causation_id).encode()
    first = cause if event.correlation_id == event.causation_id else str(event.correlation_id).encode()
    occurred_at = _text_of(event.occurred_at)
    recorded_at = occurred_at if event.recorded_at is event.occurred_at else _text_of(event.recorded_at)
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", own),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_time", occurred_at),
        ("ce_subject", key),
        ("ce_dataschema", f"/schemas/{event.type}".encode()),
        ("ce_partitionkey", key),
        ("ce_recordedat", recorded_at),
        ("ce_correlationid", first),
        ("ce_causationid", cause),
        ("content-type", b"application/json"),
    ]
    if event.traceparent:
        headers.append(("ce_traceparent", event.traceparent.encode()))
    return headers


def value_of(event: Event[Payload]) -> bytes:
    """The JSON value of an event."""
    return event.payload.to_json()


def event_from(found: Mapping[str, bytes], value: bytes | None, model: type[P]) -> Event[P]:
    """The event of a record whose `ce_type` is the model's, from its headers by name.

    Raises BadRecord with what is missing or malformed.
    """
    try:
        own, cause, first = found["ce_id"], found["ce_causationid"], found["ce_correlationid"]
        event_id = id_of(own)
        # Most chains are short, and most things are learned at once: the same text is not read again.
        causation_id = event_id if cause == own else id_of(cause)
        occurred, recorded = found["ce_time"], found["ce_recordedat"]
        occurred_at = _time_of(occurred)
        trace = found.get("ce_traceparent")
        return Event(
            event_id,
            model.__pydantic_validator__.validate_json(value or b""),
            found["ce_source"].decode(),
            occurred_at,
            occurred_at if recorded == occurred else _time_of(recorded),
            causation_id if first == cause else id_of(first),
            causation_id,
            None if trace is None else trace.decode(),
        )
    except KeyError as missing:
        raise BadRecord(f"header {missing.args[0]} is missing") from missing
    except ValueError as wrong:  # includes pydantic's ValidationError and UnicodeDecodeError
        raise BadRecord(f"{model.TYPE}: {_without_input(wrong)}") from wrong


def _text_of(moment: datetime) -> bytes:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").encode()


def id_of(text: bytes) -> UUID:
    """The id that a header's text is. Raises ValueError."""
    found: UUID = _ID.validate_python(text.decode())
    return found


def _time_of(text: bytes) -> datetime:
    moment = datetime.fromisoformat(text.decode())
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise BadRecord(f"time {text.decode()!r} has no zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as beyond:
        raise BadRecord("a time is beyond the years of the calendar") from beyond


def _without_input(error: ValueError) -> str:
    """What is wrong, without the values: a parked reason is shown to people and must hold no personal data."""
    details = getattr(error, "errors", None)
    if details is None:
        return type(error).__name__
    listed: list[dict[str, Any]] = details(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(str(step) for step in one['loc'])}: {one['msg']}" for one in listed[:5])


def canonical(value: object) -> bytes:
    """Canonical JSON (sorted keys, no spaces) of plain values: what hashes and signatures are taken over."""
    return bytes(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
