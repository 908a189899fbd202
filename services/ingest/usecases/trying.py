"""Tries settings of a source on a delivery that is parked: what it would become, without a database and without effect.

What is told are kinds, names, times and which identifiers there are, never a value of a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.ingest.domain.observation import Operation
from services.ingest.domain.source import SourceSettings
from services.ingest.store.parked import StoredDelivery
from services.ingest.usecases.normalise.reading import Item, read_delivery, read_request
from services.ingest.usecases.normalise.recording import kind_and_place
from shared.contracts.deliveries import DELIVERY_TYPE
from shared.stream.handlers import ParkError, RawEvent

__all__ = ["Tried", "try_settings"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a delivery would become; `error` says why it would be parked again."""

    error: str = ""
    events: Sequence[Mapping[str, object]] = ()
    refusals: Sequence[Mapping[str, object]] = ()


def try_settings(stored: StoredDelivery, settings: SourceSettings) -> Tried:
    """Read a stored delivery as if its source had these settings."""
    headers = dict(stored.headers)
    try:
        event = RawEvent(UUID(headers["ce_id"].decode()), DELIVERY_TYPE, "", stored.payload, headers)
        delivery = read_delivery(event, read_request(event), settings)
    except ParkError as error:
        return Tried(str(error))
    except (KeyError, ValueError):
        return Tried("The record is no delivery of our door.")
    return Tried(
        events=[_told(item) for item in delivery.items],
        refusals=[{"index": one.index, "reason": one.reason, "detail": one.detail} for one in delivery.refusals],
    )


def _told(item: Item) -> dict[str, object]:
    seen = item.observation
    is_activity = seen.operation is Operation.ACTIVITY
    return {
        "operation": seen.operation.value,
        "kind": kind_and_place(item)[0] if is_activity else seen.operation.value,
        "name": seen.name or "",
        "occurred_at": item.timed.occurred_at.isoformat(),
        "identifiers": sorted({key.kind.value for key in item.keys}),
    }
