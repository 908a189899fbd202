"""What a batch reads once it holds its keys and trees: consents, who is suppressed, and whether a tree grew meanwhile.

One statement that begins after the last lock was got: what a rival committed while we waited is in it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from services.ingest.store.consents import COLUMNS, ConsentRow, consent_row
from services.ingest.store.identity import TREE_GREW, LeadRow, roots_of
from services.ingest.store.statements import by_columns
from shared.db.engine import ReadTx
from shared.errors import Busy

__all__ = ["UnderLocks", "read_under_locks"]

_CONSENT, _SUPPRESSED, _MEMBERS = range(3)
_NOTHING = ", ".join(["null"] * (len(COLUMNS) - 2))
_READ = by_columns(
    f"""
    select {_CONSENT} as what, cast(null as bigint) as number, cast(null as bytea) as hmac, {", ".join(COLUMNS)}
      from unnest(:ids) as wanted (id)
     cross join lateral (select {", ".join(COLUMNS)} from consent where lead_id = wanted.id offset 0) said
    union all
    select {_SUPPRESSED}, null, value_hmac, null, kind, {_NOTHING}
      from unnest(:kinds, :hmacs) as named (kind, value_hmac)
     cross join lateral (
           select from suppression where kind = named.kind and value_hmac = named.value_hmac offset 0) out
    union all
    select {_MEMBERS}, count(*), null, null, null, {_NOTHING}
      from unnest(:roots) as tree (root_id)
     cross join lateral (select from lead where root_id = tree.root_id offset 0) member
    """,  # noqa: S608 - our own names
    ids="uuid",
    kinds="text",
    hmacs="bytea",
    roots="uuid",
)


class UnderLocks(NamedTuple):
    """Consents by lead and purpose; those keys that belong to somebody who was erased and stays out."""

    consents: dict[tuple[UUID, str], ConsentRow]
    suppressed: frozenset[tuple[str, bytes]]


async def read_under_locks(
    tx: ReadTx, locked: Mapping[UUID, LeadRow], keys: Collection[tuple[str, bytes]]
) -> UnderLocks:
    """Read beside the locked leads and keys. Raises Busy (retryable) when a tree grew while it was being locked."""
    asked = {
        "ids": list(locked),
        "roots": roots_of(locked),
        "kinds": [kind for kind, _ in keys],
        "hmacs": [hmac for _, hmac in keys],
    }
    consents: dict[tuple[UUID, str], ConsentRow] = {}
    suppressed = set()
    for what, number, hmac, *values in cast("Iterable[Sequence[Any]]", await tx.execute(_READ, asked)):
        if what == _CONSENT:
            row = consent_row(*values)
            consents[row.lead_id, row.purpose] = row
        elif what == _SUPPRESSED:
            suppressed.add((values[1], bytes(hmac)))
        elif number != len(locked):
            raise Busy(TREE_GREW)
    return UnderLocks(consents, frozenset(suppressed))
