"""Which use case handles what ingest reads: its own deliveries."""

from functools import partial

from services.ingest.usecases.normalise import KeyedHash, normalise_deliveries
from shared.contracts.deliveries import DELIVERY_TYPE
from shared.stream.handlers import Handlers

__all__ = ["handlers_of"]


def handlers_of(hashed: KeyedHash) -> Handlers:
    """The consumer `ingest`."""
    return Handlers("ingest", {DELIVERY_TYPE: partial(normalise_deliveries, hashed=hashed)})
