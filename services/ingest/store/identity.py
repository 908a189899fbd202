"""Keys, leads and their trees: claims of keys in one order, trees locked in id order, leads made and changed.

The order of locks is keys, then leads by id; commands take leads alone, in the same order, so no two of them deadlock.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, cast
from uuid import UUID

from services.ingest.domain.identity import Member
from services.ingest.store.statements import Pending, by_columns, change_by_columns
from shared.db.engine import ReadTx, Tx
from shared.errors import Busy

__all__ = [
    "CLAIM",
    "CLAIM_COLUMNS",
    "TREE_GREW",
    "KeyPair",
    "KeyRow",
    "LeadRow",
    "changed_leads",
    "claim_keys",
    "claim_of",
    "drop_keys",
    "find_owners",
    "key_rows",
    "lock_members",
    "lock_trees",
    "move_keys",
    "new_leads",
    "roots_of",
    "suppressed",
    "values_of",
]

TREE_GREW: Final = "A tree of leads grew while it was being locked; run it again."

KeyPair = tuple[str, bytes]
"""Kind and keyed hash of an identifier."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One keyed identifier and the lead that owns it; is_new when this statement made it."""

    kind: str
    value_hmac: bytes
    lead_id: UUID
    is_new: bool


@dataclass(slots=True)
class LeadRow:
    """One lead as stored. The order of its fields is the order of the columns in the statements below."""

    id: UUID
    parent_id: UUID | None
    root_id: UUID
    identity_version: int
    is_known: bool
    profile_version: int
    title_level: str | None
    department: str | None
    country: str | None
    language: str | None
    time_zone: str | None
    mail_domain_kind: str | None
    entry_channel: str | None
    entered_at: datetime | None
    first_touch_at: datetime | None
    traffic_source: str | None
    medium: str | None
    campaign: str | None
    first_referrer: str | None
    first_page_at: datetime | None
    first_page: str | None
    account_id: UUID | None
    link_version: int
    link_by: str | None
    created_at: datetime
    updated_at: datetime
    active_at: datetime
    erased_at: datetime | None

    def as_member(self) -> Member:
        """The lead as a member of its tree."""
        return Member(
            lead_id=self.id,
            root_id=self.root_id,
            parent_id=self.parent_id,
            is_known=self.is_known,
            created_at=self.created_at,
            identity_version=self.identity_version,
        )


_COLUMNS: Final = tuple(field.name for field in fields(LeadRow))
values_of: Final[Callable[[LeadRow], tuple[Any, ...]]] = attrgetter(*_COLUMNS)
"""All values of a lead, in the order of its fields: what it was, to be compared with what becomes of it."""
_SELECT: Final = ", ".join(f"lead.{name}" for name in _COLUMNS)
CLAIM: Final = """
    insert into identity_key (kind, value_hmac, lead_id, seen_at)
    select kind, value_hmac, lead_id, cast(:now as timestamptz)
      from unnest(:kinds, :hmacs, :lead_ids) as row (kind, value_hmac, lead_id) order by 1, 2
    on conflict (kind, value_hmac) do update set seen_at = excluded.seen_at
    returning kind, value_hmac, lead_id, xmax = 0 as is_new
"""
CLAIM_COLUMNS: Final[Mapping[str, str]] = {"kinds": "text", "hmacs": "bytea", "lead_ids": "uuid"}
_CLAIM = by_columns(CLAIM, **CLAIM_COLUMNS)
_SUPPRESSED = by_columns(
    """
    select kind, value_hmac from suppression
      join unnest(:kinds, :hmacs) as row (kind, value_hmac) using (kind, value_hmac)
    """,
    kinds="text",
    hmacs="bytea",
)
_OWNERS = by_columns(
    """
    select kind, value_hmac, lead_id from identity_key
      join unnest(:kinds, :hmacs) as row (kind, value_hmac) using (kind, value_hmac)
    """,
    kinds="text",
    hmacs="bytea",
)
_MOVE = by_columns(
    """
    update identity_key set lead_id = row.lead_id
      from unnest(:kinds, :hmacs, :lead_ids) as row (kind, value_hmac, lead_id)
     where identity_key.kind = row.kind and identity_key.value_hmac = row.value_hmac
    """,
    kinds="text",
    hmacs="bytea",
    lead_ids="uuid",
)
_DROP = by_columns(
    """
    delete from identity_key using unnest(:kinds, :hmacs) as row (kind, value_hmac)
     where identity_key.kind = row.kind and identity_key.value_hmac = row.value_hmac
    """,
    kinds="text",
    hmacs="bytea",
)
# Row by row (`offset 0`), so that a plan made while the table was small never reads a large one whole.
_LOCK = by_columns(
    f"""
    select {_SELECT}
      from (select distinct member.id as member_id
              from unnest(:ids) as own (id)
             cross join lateral (select root_id from lead where id = own.id offset 0) asked
             cross join lateral (select id from lead where root_id = asked.root_id offset 0) member
             order by 1) tree
     cross join lateral (select * from lead where id = member_id for update) lead
    """,  # noqa: S608
    ids="uuid",
)
_MEMBERS = by_columns(
    """
    select count(*) from unnest(:roots) as tree (root_id)
     cross join lateral (select from lead where root_id = tree.root_id offset 0) member
    """,
    roots="uuid",
)
_TYPES_OF: Final[Mapping[str, str]] = {
    "id": "uuid", "parent_id": "uuid", "root_id": "uuid", "account_id": "uuid",
    "identity_version": "int", "profile_version": "int", "link_version": "int", "is_known": "bool",
    **{name: "time" for name in _COLUMNS if name.endswith("_at")},
}  # fmt: skip
_UNNESTED: Final = ", ".join(f":{name}" for name in _COLUMNS)
_ALIASED: Final = ", ".join(_COLUMNS)
_NEW = change_by_columns(
    "new_leads",
    f"insert into lead ({_ALIASED}) select {_ALIASED} from unnest({_UNNESTED}) as row ({_ALIASED}) order by id",  # noqa: S608
    **{name: _TYPES_OF.get(name, "text") for name in _COLUMNS},
)
_CHANGED: Final = tuple(name for name in _COLUMNS if name not in {"id", "created_at"})
_CHANGE = change_by_columns(
    "changed_leads",
    f"""
    update lead set {", ".join(f"{name} = row.{name}" for name in _CHANGED)}
      from unnest({_UNNESTED}) as row ({_ALIASED}) where lead.id = row.id
    """,  # noqa: S608
    **{name: _TYPES_OF.get(name, "text") for name in _COLUMNS},
)


def claim_of(proposals: Mapping[KeyPair, UUID], now: datetime) -> dict[str, Any]:
    """The parameters of CLAIM: makes the unknown keys with their proposed lead, locks the known ones, in one order."""
    ordered = sorted(proposals)
    return {
        "kinds": [kind for kind, _ in ordered],
        "hmacs": [hmac for _, hmac in ordered],
        "lead_ids": [proposals[key] for key in ordered],
        "now": now,
    }


async def claim_keys(tx: Tx, proposals: Mapping[KeyPair, UUID]) -> dict[KeyPair, KeyRow]:
    """Make the unknown keys with their proposed lead, lock the known ones, all in one order; one row per key."""
    rows: Sequence[Any] = (await tx.execute(_CLAIM, claim_of(proposals, tx.now))).all()
    return key_rows(rows)


def key_rows(rows: Iterable[Sequence[Any]]) -> dict[KeyPair, KeyRow]:
    """The rows that CLAIM returned, one per key."""
    return {(kind, hmac): KeyRow(kind, hmac, lead_id, is_new) for kind, hmac, lead_id, is_new in rows}


async def find_owners(tx: ReadTx, keys: Collection[KeyPair]) -> dict[KeyPair, UUID]:
    """The owners of those keys that exist; locks nothing."""
    rows = await tx.execute(_OWNERS, _pairs(keys))
    return {(row.kind, bytes(row.value_hmac)): row.lead_id for row in rows}


async def suppressed(tx: ReadTx, keys: Collection[KeyPair]) -> frozenset[KeyPair]:
    """Those keys that belong to somebody who was erased and stays out."""
    rows = await tx.execute(_SUPPRESSED, _pairs(keys))
    return frozenset((row.kind, bytes(row.value_hmac)) for row in rows)


async def move_keys(tx: Tx, owners: Mapping[KeyPair, UUID]) -> None:
    """Give locked keys to another lead."""
    if owners:
        await tx.execute(_MOVE, {**_pairs(owners), "lead_ids": list(owners.values())})


async def drop_keys(tx: Tx, keys: Collection[KeyPair]) -> None:
    """Delete keys that this transaction locked."""
    if keys:
        await tx.execute(_DROP, _pairs(keys))


async def lock_members(tx: Tx, lead_ids: Collection[UUID]) -> dict[UUID, LeadRow]:
    """All members of the trees of these leads, locked in id order.

    A tree may have grown meanwhile: what reads next compares their number with that of its members (`under_locks`).
    """
    if not lead_ids:
        return {}
    rows = cast("Iterable[Sequence[Any]]", await tx.execute(_LOCK, {"ids": list(lead_ids)}))
    return {lead.id: lead for lead in (LeadRow(*values) for values in rows)}


async def lock_trees(tx: Tx, lead_ids: Collection[UUID]) -> dict[UUID, LeadRow]:
    """All members of the trees of these leads, locked in id order.

    Raises Busy (retryable) when a tree grew between reading and locking: the whole unit of work runs again.
    """
    locked = await lock_members(tx, lead_ids)
    members = (await tx.execute(_MEMBERS, {"roots": roots_of(locked)})).scalar_one() if locked else 0
    if members != len(locked):
        raise Busy(TREE_GREW)
    return locked


def roots_of(leads: Mapping[UUID, LeadRow]) -> list[UUID]:
    """The roots of these leads, each once."""
    return list({lead.root_id for lead in leads.values()})


def new_leads(leads: Sequence[LeadRow]) -> Pending | None:
    """Make leads."""
    return (_NEW, _lead_columns(leads)) if leads else None


def changed_leads(leads: Sequence[LeadRow]) -> Pending | None:
    """Write leads that this transaction locked."""
    return (_CHANGE, _lead_columns(leads)) if leads else None


def _lead_columns(leads: Sequence[LeadRow]) -> dict[str, list[Any]]:
    return {name: [getattr(lead, name) for lead in leads] for name in _COLUMNS}


def _pairs(keys: Collection[KeyPair]) -> dict[str, list[Any]]:
    return {"kinds": [kind for kind, _ in keys], "hmacs": [hmac for _, hmac in keys]}
