"""Erases a person: keys become suppressions, profile and texts go, all in one transaction with `lead.erased`.

Parked bodies that name the person by e-mail, phone or an id that was given are emptied. What stays are ids, sums and
decisions, which verify as before. A second erase of the same person does nothing.
"""

from uuid import UUID

from services.ingest.domain.keys import Key, KeyKind
from services.ingest.domain.traces import traces_of
from services.ingest.store import erasures, identity, parked_bodies, people
from services.ingest.usecases.normalise.draft import SOURCE
from services.ingest.usecases.normalise.hashing import KeyedHash
from shared.contracts.envelope import Event
from shared.contracts.leads import LeadErased
from shared.db.engine import Tx
from shared.errors import Busy
from shared.ids import new_id
from shared.stream.outbox import emit

__all__ = ["erase"]

_IN_PROFILES = (KeyKind.EMAIL, KeyKind.PHONE)


async def erase(tx: Tx, *, lead_id: UUID | None, keys: tuple[Key, ...], by: str, hashed: KeyedHash) -> UUID:
    """Erase whoever this id or these keys belong to; the id of the erasure.

    Keys nobody owns are suppressed all the same: the person stays out. Raises Busy when keys came in meanwhile.
    """
    asked = [hashed.of(key) for key in keys]
    owners = set((await identity.find_owners(tx, asked)).values()) | ({lead_id} if lead_id is not None else set())
    tree = await erasures.tree_ids(tx, owners)
    await _empty_parked(tx, tree, keys)  # before keys: who replays one of them locks it first, then keys
    locked = await erasures.lock_keys_of(tx, tree)  # keys before leads, as everybody locks
    leads = await identity.lock_trees(tx, tree)
    if await erasures.lock_keys_of(tx, leads.keys()) != locked:
        raise Busy("Identifiers of this person came in meanwhile; erase again.")
    erasure_id = new_id()
    await erasures.suppress(tx, {*locked, *asked})
    living = sorted(lead.id for lead in leads.values() if lead.erased_at is None)
    await erasures.forget_people(tx, living)
    await erasures.add_erasure(tx, erasure_id, living, keys=len(locked), by=by)
    roots: dict[UUID, list[UUID]] = {}
    for one in living:
        roots.setdefault(leads[one].root_id, []).append(one)
    for root_id, members in sorted(roots.items()):
        payload = LeadErased(lead_id=root_id, lead_ids=members)
        emit(tx, Event.first(payload, source=SOURCE, occurred_at=tx.now, recorded_at=tx.now))
    return erasure_id


async def _empty_parked(tx: Tx, tree: frozenset[UUID], keys: tuple[Key, ...]) -> None:
    """Empty what nobody could read, where it holds an identifier of the person: of these, and of the profile."""
    known = (await people.profiles(tx, tree)).values()
    stated = [Key(kind, one[kind.value].value) for one in known for kind in _IN_PROFILES if kind.value in one]
    await parked_bodies.empty_bodies_with(tx, traces_of((*keys, *stated)))
