"""Accounts and the keys by which leads find them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.ingest.domain.accounts import AccountKey
from services.ingest.store.statements import Pending, by_columns, change_by_columns
from shared.db.engine import ReadTx, Tx

__all__ = [
    "AccountRow",
    "account_owners",
    "accounts",
    "changed_accounts",
    "mark_told",
    "members_of",
    "new_account_keys",
    "untold_account",
]


@dataclass(slots=True)
class AccountRow:
    """One account as stored."""

    id: UUID
    domain: str | None
    name: str | None
    industry: str | None
    staff_band: str | None
    country: str | None
    is_target: bool | None
    is_competitor: bool | None
    is_customer: bool | None
    version: int
    created_at: datetime
    updated_at: datetime


_OWNERS = by_columns(
    """
    select kind, value, account_id from account_key
      join unnest(:kinds, :values) as row (kind, value) using (kind, value)
    """,
    kinds="text",
    values="text",
)
_ACCOUNTS = by_columns(
    """
    select id, domain, name, industry, staff_band, country, is_target, is_competitor, is_customer, version,
           created_at, updated_at
      from account where id = any(:ids) order by id
    """,
    ids="uuid",
)
_SAVE = change_by_columns(
    "accounts",
    """
    insert into account as a
           (id, domain, name, industry, staff_band, country, is_target, is_competitor, is_customer, version,
            created_at, updated_at)
    select * from unnest(:ids, :domains, :names, :industries, :bands, :countries, :targets, :competitors, :customers,
                         :versions, :created, :updated) order by 1
    on conflict (id) do update
       set domain = coalesce(a.domain, excluded.domain), name = coalesce(excluded.name, a.name),
           industry = coalesce(excluded.industry, a.industry),
           staff_band = coalesce(excluded.staff_band, a.staff_band), country = coalesce(excluded.country, a.country),
           is_target = coalesce(excluded.is_target, a.is_target),
           is_competitor = coalesce(excluded.is_competitor, a.is_competitor),
           is_customer = coalesce(excluded.is_customer, a.is_customer),
           version = a.version + 1, updated_at = excluded.updated_at
    """,
    ids="uuid",
    domains="text",
    names="text",
    industries="text",
    bands="text",
    countries="text",
    targets="bool",
    competitors="bool",
    customers="bool",
    versions="int",
    created="time",
    updated="time",
)
_ADD_KEYS = change_by_columns(
    "account_keys",
    """
    insert into account_key (kind, value, account_id)
    select * from unnest(:kinds, :values, :account_ids) order by 1, 2 on conflict do nothing
    """,
    kinds="text",
    values="text",
    account_ids="uuid",
)


async def account_owners(tx: ReadTx, keys: Collection[AccountKey]) -> dict[AccountKey, UUID]:
    """The accounts of those keys that are known."""
    rows = await tx.execute(_OWNERS, {"kinds": [key.kind for key in keys], "values": [key.value for key in keys]})
    return {AccountKey(row.kind, row.value): row.account_id for row in rows}


async def accounts(tx: ReadTx, ids: Collection[UUID]) -> dict[UUID, AccountRow]:
    """These accounts."""
    rows = await tx.execute(_ACCOUNTS, {"ids": list(ids)})
    return {row["id"]: AccountRow(**row) for row in rows.mappings()}


async def untold_account(tx: ReadTx) -> UUID | None:
    """One account whose attributes changed since its people were told; None when all were told.

    Not locked: batches lock leads first and accounts after, and so must whoever tells.
    """
    rows = await tx.execute("select id from account where told_version < version order by id limit 1")
    found: UUID | None = rows.scalar_one_or_none()
    return found


async def members_of(tx: ReadTx, account_id: UUID, *, limit: int) -> list[UUID]:
    """Leads linked to an account, the last active first."""
    rows = await tx.execute(
        """
        select id from lead where account_id = :id and erased_at is null order by active_at desc, id limit :most
        """,
        {"id": account_id, "most": limit},
    )
    return list(rows.scalars())


async def mark_told(tx: Tx, account_id: UUID, *, version: int) -> None:
    """All people of an account were told its attributes of this version; a newer one will be told next."""
    await tx.execute(
        "update account set told_version = :version where id = :id and told_version < :version",
        {"id": account_id, "version": version},
    )


def changed_accounts(rows: Sequence[AccountRow]) -> Pending | None:
    """Make accounts, or add what is newly known to them; what is not said stays."""
    if not rows:
        return None
    return _SAVE, {
        "ids": [row.id for row in rows],
        "domains": [row.domain for row in rows],
        "names": [row.name for row in rows],
        "industries": [row.industry for row in rows],
        "bands": [row.staff_band for row in rows],
        "countries": [row.country for row in rows],
        "targets": [row.is_target for row in rows],
        "competitors": [row.is_competitor for row in rows],
        "customers": [row.is_customer for row in rows],
        "versions": [row.version for row in rows],
        "created": [row.created_at for row in rows],
        "updated": [row.updated_at for row in rows],
    }


def new_account_keys(keys: Mapping[AccountKey, UUID]) -> Pending | None:
    """Note by which keys an account is found; the first account of a key keeps it."""
    if not keys:
        return None
    return _ADD_KEYS, {
        "kinds": [key.kind for key in keys],
        "values": [key.value for key in keys],
        "account_ids": list(keys.values()),
    }
