"""Which use case takes what ingest reads: its own deliveries."""

from functools import partial

from services.ingest.usecases.normalise import KeyedHash, normalise_deliveries
from shared.contracts.deliveries import DELIVERY_TYPE
from shared.stream.handlers import Handlers

__all__ = ["handlers"]


def handlers(hashed: KeyedHash) -> Handlers:
    """The table of ingest's consumer, over the key one process hashes with."""
    return Handlers(consumer="ingest", table={DELIVERY_TYPE: partial(normalise_deliveries, hashed=hashed)})
