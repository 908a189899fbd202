"""Rows of accounts and what is due on them: lead batches append to `account_due`, the loop takes and computes.

A due row commits together with the facts it is about (`leads.save_leads`), so nothing is missed; lead batches never
lock an account.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Boolean, DateTime, Integer, Text, Uuid, bindparam, text

from services.scoring.domain.account import AccountStanding
from services.scoring.store.encoding import account_standing_from, account_standing_text
from shared.db.engine import ReadTx, Tx
from shared.ids import AccountId, ActivityId, LeadId

__all__ = [
    "AccountRow",
    "account_rows",
    "customers_among",
    "customers_and_corrected",
    "lock_accounts",
    "people_of",
    "save_accounts",
    "take_due",
]

PEOPLE_MOST = 200  # the last active people of an account that its score reads


@dataclass(slots=True)
class AccountRow:
    """One row of `account` inside a transaction; what is set here is written by `save_accounts`."""

    account_id: AccountId
    standing: AccountStanding
    shown: str
    score_version: int
    is_customer: bool
    content: str
    computed_at: datetime | None
    recheck_at: datetime | None


_ids = bindparam("ids", type_=ARRAY(Uuid))
_TAKE_DUE = text(
    """
    delete from account_due where id in (
        select id from account_due order by id limit :most for update skip locked)
    returning account_id
    """
)
_RECHECKS = text("select account_id from account where recheck_at <= :now order by recheck_at limit :most")
_MAKE = text(
    "insert into account (account_id) select id from unnest(:ids) as row (id) order by 1 on conflict do nothing"
).bindparams(_ids)
_LOCK = text("select * from account where account_id = any(:ids) order by account_id for update").bindparams(_ids)
_READ = text("select * from account where account_id = any(:ids)").bindparams(_ids)
_CUSTOMERS = text("select account_id from account where account_id = any(:ids) and is_customer").bindparams(_ids)
_BESIDE = text(
    """
    select true, account_id from account where account_id = any(:ids) and is_customer
    union all
    select false, lead_id from correction where activity_id = any(:activity_ids)
    """
).bindparams(_ids, bindparam("activity_ids", type_=ARRAY(Uuid)))
_PEOPLE = text(
    """
    select wanted.account_id, l.root_id
      from unnest(:ids) as wanted (account_id)
     cross join lateral (
           select root_id from lead where account_id = wanted.account_id order by active_us desc, lead_id limit :most) l
    """
).bindparams(_ids)
_COUNT_PEOPLE = text(
    "select account_id, count(distinct root_id) as people from lead where account_id = any(:ids) group by account_id"
).bindparams(_ids)
_SAVE = text(
    """
    update account
       set standing = new.standing, shown = new.shown, score_version = new.score_version,
           is_customer = new.is_customer, content = new.content, computed_at = new.computed_at,
           recheck_at = new.recheck_at
      from unnest(:ids, :standings, :shown, :versions, :customers, :contents, :computed, :rechecks)
        as new (account_id, standing, shown, score_version, is_customer, content, computed_at, recheck_at)
     where account.account_id = new.account_id
    """
).bindparams(
    _ids,
    bindparam("standings", type_=ARRAY(Text)),
    bindparam("shown", type_=ARRAY(Text)),
    bindparam("versions", type_=ARRAY(Integer)),
    bindparam("customers", type_=ARRAY(Boolean)),
    bindparam("contents", type_=ARRAY(Text)),
    bindparam("computed", type_=ARRAY(DateTime(timezone=True))),
    bindparam("rechecks", type_=ARRAY(DateTime(timezone=True))),
)


async def take_due(tx: Tx, *, most: int) -> list[AccountId]:
    """Take what is due, by facts or by time, in id order; another worker's share is skipped, not waited for."""
    by_facts = (await tx.execute(_TAKE_DUE, {"most": most})).scalars()
    by_time = (await tx.execute(_RECHECKS, {"now": tx.now, "most": most})).scalars()
    return sorted({*by_facts, *by_time})


async def lock_accounts(tx: Tx, account_ids: Sequence[AccountId]) -> list[AccountRow]:
    """Lock the rows of accounts in id order, made where they are new."""
    await tx.execute(_MAKE, {"ids": sorted(account_ids)})
    rows: Sequence[Any] = (await tx.execute(_LOCK, {"ids": sorted(account_ids)})).all()
    return [_row(row) for row in rows]


async def account_rows(tx: ReadTx, account_ids: Collection[AccountId]) -> list[AccountRow]:
    """The rows of accounts as last computed."""
    rows: Sequence[Any] = (await tx.execute(_READ, {"ids": sorted(account_ids)})).all()
    return [_row(row) for row in rows]


async def customers_among(tx: ReadTx, account_ids: Collection[AccountId]) -> frozenset[AccountId]:
    """Which of these accounts are customers, as last computed."""
    if not account_ids:
        return frozenset()
    return frozenset((await tx.execute(_CUSTOMERS, {"ids": sorted(account_ids)})).scalars())


async def customers_and_corrected(
    tx: ReadTx, account_ids: Collection[AccountId], activity_ids: Collection[ActivityId]
) -> tuple[frozenset[AccountId], frozenset[LeadId]]:
    """Which of these accounts are customers, as last computed; leads with an earlier correction of these activities.

    Asked under the leads' locks: a rival batch may have committed the correction since the activities were appended.
    """
    if not account_ids and not activity_ids:
        return frozenset(), frozenset()
    asked = {"ids": list(account_ids), "activity_ids": list(activity_ids)}
    rows: Sequence[Any] = (await tx.execute(_BESIDE, asked)).all()
    return (
        frozenset(found for is_customer, found in rows if is_customer),
        frozenset(found for is_customer, found in rows if not is_customer),
    )


async def people_of(
    tx: ReadTx, account_ids: Collection[AccountId]
) -> tuple[dict[AccountId, set[LeadId]], dict[AccountId, int]]:
    """The roots of each account's last active people, at most PEOPLE_MOST members each; and how many people it has."""
    ids = sorted(account_ids)
    roots: dict[AccountId, set[LeadId]] = {account_id: set() for account_id in ids}
    rows: Sequence[Any] = (await tx.execute(_PEOPLE, {"ids": ids, "most": PEOPLE_MOST})).all()
    for row in rows:
        roots[row.account_id].add(row.root_id)
    counted: Sequence[Any] = (await tx.execute(_COUNT_PEOPLE, {"ids": ids})).all()
    return roots, {row.account_id: row.people for row in counted}


async def save_accounts(tx: Tx, rows: Sequence[AccountRow]) -> None:
    """Write rows of locked accounts."""
    if rows:
        await tx.execute(
            _SAVE,
            {
                "ids": [row.account_id for row in rows],
                "standings": [account_standing_text(row.standing) for row in rows],
                "shown": [row.shown for row in rows],
                "versions": [row.score_version for row in rows],
                "customers": [row.is_customer for row in rows],
                "contents": [row.content for row in rows],
                "computed": [row.computed_at for row in rows],
                "rechecks": [row.recheck_at for row in rows],
            },
        )


def _row(row: Any) -> AccountRow:  # noqa: ANN401 - a row of the driver
    return AccountRow(
        account_id=row.account_id,
        standing=account_standing_from(row.standing),
        shown=row.shown,
        score_version=row.score_version,
        is_customer=row.is_customer,
        content=row.content,
        computed_at=row.computed_at,
        recheck_at=row.recheck_at,
    )
