"""Turns raw deliveries into observations with ids, true times and keys: everything that needs no database."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from services.ingest.adapters import ADAPTERS, Adapter, plain_request, shown_once
from services.ingest.domain import body as bodies
from services.ingest.domain.activity import Timed, occurred
from services.ingest.domain.fetching import api_base, asked, rebased
from services.ingest.domain.fields import fingerprint_of, mapping_of, text_of
from services.ingest.domain.keys import Key, keys_of
from services.ingest.domain.observation import Fetch, Observation, Operation, Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.contracts.deliveries import REQUEST_HEADER, DeliveryRequest
from shared.errors import AppError
from shared.ids import derived_id
from shared.senders import InboundRequest
from shared.stream.handlers import ParkError, RawEvent

__all__ = ["FETCH_FAILED", "NO_SETTINGS", "ORIGIN_NOT_LISTED", "Delivery", "Item", "read_delivery", "read_request"]

ORIGIN_NOT_LISTED = "origin_not_listed"
FETCH_FAILED = "fetch_failed"
_WITHOUT_KEYS = frozenset({Operation.STATUS, Operation.FETCH, Operation.ERASE})
NO_SETTINGS = SourceSettings()  # of a source that is gone, and of commands, which come from no source


@dataclass(slots=True)
class Item:
    """One observation on its way: its id (of the activity, too), when it happened, whose keys it names."""

    observation: Observation
    activity_id: UUID
    ordinal: int
    timed: Timed
    keys: tuple[Key, ...]
    delivery: "Delivery"
    _lead_id: UUID | None = None

    @property
    def lead_id(self) -> UUID:
        """The id of the lead this observation would make: from delivery and ordinal."""
        if self._lead_id is None:
            self._lead_id = derived_id("lead", self.delivery.id, self.ordinal)
        return self._lead_id


@dataclass(slots=True)
class Delivery:
    """One delivery, read."""

    id: UUID
    request: DeliveryRequest
    import_id: UUID | None
    received_at: datetime
    settings: SourceSettings = NO_SETTINGS
    items: list[Item] = field(default_factory=list)
    refusals: tuple[Refusal, ...] = ()
    shown: tuple[UUID, int] | None = None
    """(id, hash of what it delivers) of a token that is good for one body alone."""

    @property
    def is_verified(self) -> bool:
        """Whether its identifiers may join two known people: a public browser key may not."""
        return self.request.verified_by != "browser_key"

    @property
    def span(self) -> str:
        """How long its ids are remembered."""
        if self.import_id is not None:
            return "import"
        return "server" if self.is_verified else "browser"


def read_request(event: RawEvent) -> DeliveryRequest:
    """The request that the door wrote beside the bytes. Raises ParkError for a record without one."""
    try:
        return DeliveryRequest.model_validate_json(event.headers[REQUEST_HEADER])
    except (KeyError, ValidationError) as error:
        raise ParkError("The record is no delivery of our door.", "unreadable") from error


def read_delivery(
    event: RawEvent, request: DeliveryRequest, settings: SourceSettings, *, was_parked: bool = False
) -> Delivery:
    """The delivery of a record. Raises ParkError, not counted as ours, for what the door or the adapter found wrong.

    settings are those of its source now: what came from a new landing page is taken when it is replayed after being
    listed, and a mended mapping reads what the old one could not. was_parked: a fetch that failed is asked again.
    """
    source = str(request.source_id)
    if request.parked_as == FETCH_FAILED:
        return _fetch_again(event, request, settings, was_parked=was_parked)
    is_listed_now = request.parked_as == ORIGIN_NOT_LISTED and request.headers.get("origin") in settings.origins
    if request.parked_as is not None and not is_listed_now:
        raise ParkError("The door set it aside.", request.parked_as, is_ours=False, source=source)
    adapter = ADAPTERS.get(request.sender)
    if adapter is None:
        raise ParkError(f"There is no adapter for {request.sender}.", "no_adapter")
    inbound = InboundRequest(request.method, request.path, request.query, request.headers, event.value)
    try:
        inbound = plain_request(adapter, inbound)
        parsed = adapter.parse(inbound, settings)
    except AppError as error:
        raise ParkError(error.detail, error.problem, is_ours=False, source=source) from error
    delivery = _delivery(event, request, settings, parsed)
    delivery.shown = _shown(adapter, inbound)
    return delivery


def _shown(adapter: Adapter, inbound: InboundRequest) -> tuple[UUID, int] | None:
    """Whatever its source: several may have the secret of one account."""
    found = shown_once(adapter, inbound)
    return None if found is None else (derived_id("once", found[0]), fingerprint_of(found[1]))


def _delivery(event: RawEvent, request: DeliveryRequest, settings: SourceSettings, parsed: Parsed) -> Delivery:
    received_at = request.received_at.astimezone(UTC)
    delivery = Delivery(event.id, request, _import_id(request), received_at, settings, refusals=parsed.refusals)
    delivery.items = [_item(one, ordinal, delivery) for ordinal, one in enumerate(parsed.observations)]
    return delivery


def _fetch_again(event: RawEvent, request: DeliveryRequest, settings: SourceSettings, *, was_parked: bool) -> Delivery:
    """The question of a fetch that failed for good: parked with its reason first, and asked anew when replayed.

    It goes to the base that the source has now: a wrong one may be what was mended.
    """
    what, own = asked(request.path), getattr(ADAPTERS.get(request.sender), "API_URL", None)
    try:
        body = bodies.read_event(event.value)
    except AppError as error:
        raise ParkError(error.detail, error.problem, source=str(request.source_id)) from error
    if not was_parked or what is None or own is None:
        problem = text_of(body.get("problem")) or "The fetch failed."
        raise ParkError(problem, FETCH_FAILED, is_ours=False, source=str(request.source_id))
    headers = {name: str(value) for name, value in mapping_of(body.get("headers")).items()}
    fetch = Fetch(what, rebased(text_of(body.get("url")) or "", api_base(settings, default=own)), headers)
    return _delivery(event, request, settings, Parsed((Observation(operation=Operation.FETCH, fetch=fetch),)))


def _item(observation: Observation, ordinal: int, delivery: Delivery) -> Item:
    timed = occurred(observation.timestamp, sent_at=observation.sent_at, received_at=delivery.received_at)
    return Item(
        observation=observation,
        activity_id=_activity_id(observation, ordinal, delivery),
        ordinal=ordinal,
        timed=timed,
        keys=() if observation.operation in _WITHOUT_KEYS else keys_of(observation.person),
        delivery=delivery,
    )


def _activity_id(observation: Observation, ordinal: int, delivery: Delivery) -> UUID:
    """From source and the sender's id; without one from the body, and without a timestamp from the place (3.3)."""
    source = delivery.request.source_id
    if observation.event_id is not None:
        return derived_id(source, observation.event_id)
    if observation.timestamp is not None:
        return derived_id(source, "derived", observation.timestamp.isoformat(), observation.fingerprint)
    return derived_id(source, "place", delivery.id, ordinal)


def _import_id(request: DeliveryRequest) -> UUID | None:
    start = "/v1/imports/"
    if not request.path.startswith(start):
        return None
    return UUID(request.path.rpartition("/")[2])
