"""What leaves a service: `emit` puts events into the transaction, the relay alone publishes them, in id order.

The order proof of RELIABILITY 3.5: outbox ids are drawn after all row locks (transaction() writes them last), a
round goes out in id order from the oldest row through one idempotent producer, and only a wholly acknowledged round
is moved, by its list of ids.
"""

from typing import Any

from shared.contracts.envelope import Event
from shared.db.engine import Tx

__all__ = ["emit"]


def emit(tx: Tx, *events: Event[Any]) -> None:
    """Let events leave with the transaction, in the order of the calls; nothing is written before the commit."""
    tx.pending.extend(events)
