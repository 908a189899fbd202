"""Finds the leads of a batch under locks: all keys in one statement and one order, then their trees in id order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.ingest.domain.identity import Identities
from services.ingest.domain.keys import Key
from services.ingest.store import identity
from services.ingest.store.consents import ConsentRow
from services.ingest.store.identity import KeyPair, KeyRow, LeadRow
from services.ingest.store.under_locks import read_under_locks
from services.ingest.usecases.normalise.hashing import KeyedHash
from services.ingest.usecases.normalise.reading import Item
from shared.db.engine import Tx

__all__ = ["Claim", "Recognised", "claimed_by", "keep_keys", "recognise"]


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the keys of a batch lead to. `hashes` has every key; `rows` what the database says of each.

    consents: of all members of the trees, by lead and purpose.
    """

    identities: Identities
    leads: dict[UUID, LeadRow]
    hashes: Mapping[Key, KeyPair]
    rows: Mapping[KeyPair, KeyRow]
    suppressed: frozenset[Key]
    consents: dict[tuple[UUID, str], ConsentRow]


@dataclass(frozen=True, slots=True)
class Claim:
    """The keys that a batch names: each with its hash, each hash with the lead it makes where it is unknown."""

    hashes: dict[Key, KeyPair]
    proposals: dict[KeyPair, UUID]


def claimed_by(items: Iterable[Item], hashed: KeyedHash) -> Claim:
    """The keys of all items, in their order."""
    hashes: dict[Key, KeyPair] = {}
    proposals: dict[KeyPair, UUID] = {}
    for item in items:
        for key in item.keys:
            if key not in hashes:
                hashes[key] = hashed.of(key)
                proposals[hashes[key]] = item.lead_id
    return Claim(hashes, proposals)


async def recognise(tx: Tx, claim: Claim, rows: Mapping[KeyPair, KeyRow]) -> Recognised:
    """Lock the trees of the leads that own these locked keys. Raises Busy when a tree grew meanwhile."""
    if not claim.proposals:
        return Recognised(Identities(owners={}, members=()), {}, {}, {}, frozenset(), {})
    leads = await identity.lock_members(tx, {row.lead_id for row in rows.values() if not row.is_new})
    beside = await read_under_locks(tx, leads, claim.proposals.keys())
    owners = {key: rows[pair].lead_id for key, pair in claim.hashes.items() if not rows[pair].is_new}
    return Recognised(
        identities=Identities(owners=owners, members=[row.as_member() for row in leads.values()]),
        leads=leads,
        hashes=claim.hashes,
        rows=rows,
        suppressed=frozenset(key for key, pair in claim.hashes.items() if pair in beside.suppressed),
        consents=beside.consents,
    )


async def keep_keys(tx: Tx, recognised: Recognised) -> None:
    """Give each key to the lead it was decided for; drop those that were made and then belong to nobody."""
    owners = recognised.identities.owners
    moved, dropped = {}, []
    for key, pair in recognised.hashes.items():
        owner = owners.get(key)
        if owner is None:
            dropped.append(pair)
        elif owner != recognised.rows[pair].lead_id:
            moved[pair] = owner
    await identity.move_keys(tx, moved)
    await identity.drop_keys(tx, dropped)
