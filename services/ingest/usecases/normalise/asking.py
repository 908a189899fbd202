"""Sets aside what a delivery asks for and no transaction of ours can do now: fetches and erasures, noted as rows.

A loop does them later. Invariant: what is set aside is counted as an operation of its delivery, once.
"""

from collections.abc import Sequence
from uuid import UUID

from services.ingest.domain.keys import keys_of
from services.ingest.domain.observation import Operation
from services.ingest.store import fetches
from services.ingest.store.fetches import AskedErasure, FetchRow
from services.ingest.store.results import ResultRow
from services.ingest.usecases.normalise.reading import Item
from shared.db.engine import Tx

__all__ = ["set_aside"]


async def set_aside(tx: Tx, items: Sequence[Item], found: dict[UUID, ResultRow]) -> list[Item]:
    """Note the fetches and erasures among fresh items; the others, in their order."""
    asked = [item for item in items if item.observation.operation in {Operation.FETCH, Operation.ERASE}]
    if not asked:  # nearly every batch
        return list(items)
    for item in asked:
        found[item.delivery.id].operations += 1
    await fetches.add_fetches(tx, [_fetch(item) for item in asked if item.observation.fetch is not None])
    named = [(item, _erasure(item)) for item in asked if item.observation.operation is Operation.ERASE]
    await fetches.add_erasures(tx, [erasure for item, erasure in named if erasure.keys and item.delivery.is_verified])
    return [item for item in items if item.observation.operation not in {Operation.FETCH, Operation.ERASE}]


def _fetch(item: Item) -> FetchRow:
    request, fetch = item.delivery.request, item.observation.fetch
    assert fetch is not None, "the caller looked"
    return FetchRow(
        id=item.activity_id,
        source_id=request.source_id,
        sender=request.sender,
        verified_by=request.verified_by,
        what=fetch.what,
        url=fetch.url,
        headers=fetch.headers,
    )


def _erasure(item: Item) -> AskedErasure:
    keys = [(key.kind.value, key.value) for key in keys_of(item.observation.person)]
    return AskedErasure(item.activity_id, keys, f"source:{item.delivery.request.source_id}")
