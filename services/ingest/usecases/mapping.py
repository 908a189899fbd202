"""Tries a mapping on the last deliveries of a source: what each would become, without effect.

They are read back from the log, where the bytes are and nowhere else: parked rows alone would miss what a wrong mapping
took without an error, and a copy in the database would be one more place to erase. What is told are kinds, names, times
and which identifiers and fields there are, never a value of a person.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson

from services.ingest.domain.mapping import BadMapping, read_mapping
from services.ingest.domain.source import SourceSettings
from services.ingest.usecases.normalise.reading import Item, read_delivery, read_request
from services.ingest.usecases.normalise.recording import kind_and_place
from shared.contracts.deliveries import DELIVERY_TYPE, REQUEST_HEADER
from shared.errors import Busy, FieldError, Refused
from shared.stream.handlers import ParkError, RawEvent
from shared.stream.tail import NewestRecord, newest_records

__all__ = ["TRIED_MAX", "Kept", "TriedDelivery", "check_mapping", "dry_run", "kept_in_the_log", "nothing_kept"]

TRIED_MAX: Final = 20
LOOKED_AT: Final = 500  # records of each partition: a source that is silent for longer is tried by sending once more

Kept = Callable[[UUID], Awaitable[Sequence[NewestRecord]]]
"""The last deliveries of a source, newest first, at most TRIED_MAX. Raises Busy."""


@dataclass(frozen=True, slots=True)
class TriedDelivery:
    """What one delivery would become; `error` says why it would be parked."""

    received_at: datetime
    error: str = ""
    events: tuple[Mapping[str, object], ...] = ()
    refusals: tuple[Mapping[str, object], ...] = ()


def check_mapping(said: Mapping[str, object]) -> None:
    """Raise Refused with field and reason for a mapping that cannot be used."""
    try:
        read_mapping(said)
    except BadMapping as error:
        field = error.field.replace("~", "~0").replace("/", "~1")
        raise Refused(
            "This mapping cannot be used.", errors=[FieldError(f"/mapping/{field}", "mapping", error.reason)]
        ) from error


def dry_run(
    settings: SourceSettings, mapping: Mapping[str, object], kept: Sequence[NewestRecord]
) -> list[TriedDelivery]:
    """What these deliveries would become under this mapping: one entry each, in their order. Pure."""
    tried = replace(settings, mapping=mapping)
    return [_tried(record, tried) for record in kept]


async def kept_in_the_log(source_id: UUID, *, bootstrap_servers: str, topic: str) -> Sequence[NewestRecord]:
    """As `Kept`, from the topic of deliveries (its full name)."""
    wanted = str(source_id)

    def is_wanted(headers: Mapping[str, bytes]) -> bool:
        try:
            request = orjson.loads(headers[REQUEST_HEADER])
            return bool(request["source_id"] == wanted and not request["path"].startswith("/v1/imports/"))
        except (KeyError, TypeError, ValueError):
            return False

    return await newest_records(bootstrap_servers, topic, per_partition=LOOKED_AT, most=TRIED_MAX, is_wanted=is_wanted)


async def nothing_kept(source_id: UUID) -> Sequence[NewestRecord]:  # noqa: ARG001 - as `Kept`
    """As `Kept`, of a process without a log."""
    raise Busy("This process reads no log.", retry_after=5)


def _tried(record: NewestRecord, settings: SourceSettings) -> TriedDelivery:
    at, headers = datetime.fromtimestamp(record.written_ms / 1000, UTC), dict(record.headers)
    try:
        event = RawEvent(UUID(headers["ce_id"].decode()), DELIVERY_TYPE, "", record.value, headers)
        delivery = read_delivery(event, read_request(event), settings)
    except ParkError as error:
        return TriedDelivery(at, error=str(error))
    except (KeyError, ValueError):
        return TriedDelivery(at, error="The record is no delivery of our door.")
    return TriedDelivery(
        delivery.received_at,
        events=tuple(_told(item) for item in delivery.items),
        refusals=tuple({"index": one.index, "reason": one.reason, "detail": one.detail} for one in delivery.refusals),
    )


def _told(item: Item) -> dict[str, object]:
    seen = item.observation
    company = {name for name in seen.company.__slots__ if getattr(seen.company, name) is not None}
    return {
        "operation": seen.operation.value,
        "kind": kind_and_place(item)[0] if seen.operation.value == "activity" else seen.operation.value,
        "name": seen.name or "",
        "has_id": seen.event_id is not None,
        "occurred_at": item.timed.occurred_at,
        "time_flag": item.timed.flag,
        "identifiers": sorted({key.kind.value for key in item.keys}),
        "fields": sorted({*seen.traits, *(f"company.{name}" for name in company)}),
        "properties": sorted(seen.properties),
        "answers": sorted(seen.texts.answers),
    }
