"""What a command of a person is to the rest of ingest: a delivery of one observation, made here and not by a sender.

So a lead made by hand goes the same way as one that came in, with the same rules and the same events.
"""

from datetime import datetime
from uuid import UUID

from services.ingest.domain.activity import Timed
from services.ingest.domain.keys import keys_of
from services.ingest.domain.observation import Observation, Operation
from services.ingest.store import sources
from services.ingest.usecases.normalise.reading import Delivery, Item
from shared.contracts.deliveries import DeliveryRequest
from shared.contracts.kinds import VerifiedBy
from shared.db.engine import Tx
from shared.ids import derived_id, new_id

__all__ = ["API_SOURCE_ID", "command_delivery", "ensure_api_source", "user_of"]

API_SENDER = "api"
API_SOURCE_ID = derived_id("source", API_SENDER)


async def ensure_api_source(tx: Tx) -> None:
    """Make the source that stands for our own API and console, unless it is there."""
    await sources.ensure_source(
        tx, source_id=API_SOURCE_ID, sender=API_SENDER, name="API and console", address=str(API_SOURCE_ID)
    )


def command_delivery(now: datetime, *, by: str, observation: Observation | None = None) -> Delivery:
    """A delivery that stands for a command given at `now`; its one item carries the observation, if any."""
    request = DeliveryRequest(
        source_id=API_SOURCE_ID,
        sender=API_SENDER,
        method="POST",
        path="/v1/leads",
        query="",
        verified_by=VerifiedBy.SERVER_KEY,
        secret_id=by,
        address=None,
        received_at=now,
        is_gpc=False,
        parked_as=None,
    )
    delivery = Delivery(id=new_id(), request=request, import_id=None, received_at=now)
    said = observation or Observation(Operation.IDENTIFY)
    item = Item(said, derived_id(API_SOURCE_ID, delivery.id), 0, Timed(now), keys_of(said.person), delivery)
    delivery.items = [item]
    return delivery


def user_of(by: str) -> UUID | None:
    """The user behind a principal's text `user:<id>`."""
    kind, _, one = by.partition(":")
    return UUID(one) if kind == "user" else None
