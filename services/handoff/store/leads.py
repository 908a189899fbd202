"""Leads and accounts: made when first named, locked as whole trees in id order, saved whole."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Result, Row, Uuid, bindparam, select, text

from services.handoff.domain.mirror import Lead, new_lead
from services.handoff.store.rows import Put, in_ids
from services.handoff.tables import account, connector, lead
from shared.db.engine import ReadTx, Tx
from shared.errors import Busy
from shared.ids import AccountId, LeadId

__all__ = [
    "account_facts",
    "advance_connector",
    "behind_handoff",
    "evidence_watermark",
    "lock_accounts",
    "lock_trees",
    "put_accounts",
    "put_leads",
    "read_leads",
]

_MAKE = text(
    """
    insert into lead (id, root_id, changed_at)
    select id, id, baton_now() from unnest(:ids) as named (id) order by id on conflict (id) do nothing returning id
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_MAKE_ACCOUNTS = text(
    """
    insert into account (id, changed_at) select id, baton_now() from unnest(:ids) as named (id) order by id
    on conflict (id) do nothing returning *
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_LOCK_ACCOUNTS = select(account).where(in_ids(account.c.id)).order_by(account.c.id).with_for_update()
_FACTS = select(account.c.id, account.c.facts).where(in_ids(account.c.id))
# Row by row (`offset 0`), so that a plan made while the table was small never reads a large one whole.
_TREES_SQL = """
    select distinct member.id as member_id
      from unnest(:ids) as own (id)
     cross join lateral (select root_id from lead where id = own.id offset 0) asked
     cross join lateral (select id from lead where root_id = asked.root_id offset 0) member
     order by 1
"""
_TREES = text(_TREES_SQL).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_LOCK_TREES = text(
    f"""
    select held.* from ({_TREES_SQL}) tree
     cross join lateral (select * from lead where id = member_id for update) held
    """  # noqa: S608 - our own constant
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_READ = select(lead).where(in_ids(lead.c.id))
# A tree that keeps growing under our hands is given back: the batch runs again.
_LOCK_ROUNDS = 4


async def lock_trees(tx: Tx, lead_ids: Iterable[UUID]) -> dict[LeadId, Lead]:
    """Make rows for the leads that have none, and lock the whole trees of all, in id order.

    Raises Busy (retryable) when the trees went on changing: the same batch again is right (DECISIONS 1).
    """
    known: set[UUID] = set(lead_ids)
    made: dict[LeadId, Lead] = {}
    for _ in range(_LOCK_ROUNDS):
        asked = sorted(known - made.keys())
        if not asked:
            return made
        locked = (await tx.execute(_LOCK_TREES, {"ids": asked})).all()
        members = {row.id for row in locked}
        if not members.issuperset(asked):
            fresh = (await tx.execute(_MAKE, {"ids": sorted(set(asked) - members)})).scalars()
            made |= {LeadId(each): new_lead(LeadId(each)) for each in fresh}
            if not members.issuperset(set(asked) - made.keys()):
                continue  # somebody else made it meanwhile
        # A tree that changed while we waited for its rows is seen by the next statement only; nobody sees a row that
        # we have just made.
        again = set((await tx.execute(_TREES, {"ids": sorted(members)})).scalars()) if members else set()
        if again <= members:
            return made | {LeadId(row.id): _lead(row) for row in locked}
        known |= members | again
    raise Busy("The people of this batch are being merged right now.")


async def read_leads(tx: ReadTx, lead_ids: Sequence[UUID]) -> dict[LeadId, Lead]:
    """The leads as they are, without a lock; unknown ids are absent."""
    rows = (await tx.execute(_READ, {"ids": list(lead_ids)})).all()
    return {LeadId(row.id): _lead(row) for row in rows}


def put_leads(leads: Iterable[Lead], *, now: datetime) -> Put:
    """Whole rows of leads whose locks the caller holds, to be written."""
    return Put(lead, [_lead_row(each, now) for each in sorted(leads, key=lambda each: each.id)], "whole")


async def behind_handoff(tx: ReadTx, handoff_id: UUID) -> set[LeadId]:
    """The leads whose qualifications opened or joined a handoff."""
    found = await tx.execute(text("select distinct lead_id from evidence where handoff_id = :id"), {"id": handoff_id})
    return {LeadId(each) for each in found.scalars()}


async def account_facts(tx: ReadTx, account_ids: Iterable[UUID]) -> dict[AccountId, Mapping[str, str]]:
    """What is known of accounts, as texts by name; unknown ids are absent."""
    wanted = sorted(set(account_ids))
    if not wanted:
        return {}
    return {AccountId(row.id): row.facts for row in (await tx.execute(_FACTS, {"ids": wanted})).all()}


async def lock_accounts(tx: Tx, account_ids: Iterable[UUID]) -> dict[AccountId, dict[str, Any]]:
    """Make and lock account rows in id order; after the leads, before the handoffs."""
    wanted = sorted(set(account_ids))
    if not wanted:
        return {}
    held: dict[AccountId, dict[str, Any]] = {}
    while left := [each for each in wanted if each not in held]:
        held |= _accounts(await tx.execute(_LOCK_ACCOUNTS, {"ids": left}))
        if missing := [each for each in left if each not in held]:  # but those that somebody else makes meanwhile
            held |= _accounts(await tx.execute(_MAKE_ACCOUNTS, {"ids": missing}))
    return held


def put_accounts(rows: Sequence[Mapping[str, Any]]) -> Put:
    """Whole rows of accounts whose locks the caller holds, to be written."""
    return Put(account, rows, "whole")


async def advance_connector(tx: Tx, connector_id: str, watermark_at: datetime) -> None:
    """A connector reported everything up to this moment; an older report changes nothing."""
    await tx.execute(
        """
        insert into connector (id, watermark_at) values (:id, :at)
        on conflict (id) do update set watermark_at = greatest(connector.watermark_at, excluded.watermark_at)
        """,
        {"id": connector_id, "at": watermark_at},
    )


async def evidence_watermark(tx: ReadTx) -> datetime | None:
    """The moment up to which every evidence connector has reported; None when there is none."""
    found: datetime | None = (await tx.execute(select(connector.c.watermark_at).order_by("watermark_at"))).scalar()
    return found


def _accounts(rows: Result[Any]) -> dict[AccountId, dict[str, Any]]:
    return {AccountId(row["id"]): dict(row) for row in rows.mappings()}


def _lead(row: Row[Any]) -> Lead:
    return Lead(
        id=LeadId(row.id),
        root_id=LeadId(row.root_id),
        parent_id=None if row.parent_id is None else LeadId(row.parent_id),
        identity_version=row.identity_version,
        account_id=None if row.account_id is None else AccountId(row.account_id),
        link_version=row.link_version,
        profile_version=row.profile_version,
        consents={purpose: (value[0], value[1]) for purpose, value in row.consents.items()},
        is_suppressed=row.is_suppressed,
        is_erased=row.is_erased,
        score_version=row.score_version,
        qualified_number=row.qualified_number,
        demoted_number=row.demoted_number,
        facts=row.facts,
        external=tuple((each[0], each[1]) for each in row.external),
    )


def _lead_row(value: Lead, now: datetime) -> dict[str, Any]:
    return {
        "id": value.id,
        "parent_id": value.parent_id,
        "root_id": value.root_id,
        "identity_version": value.identity_version,
        "account_id": value.account_id,
        "link_version": value.link_version,
        "profile_version": value.profile_version,
        "consents": {purpose: list(held) for purpose, held in value.consents.items()},
        "is_suppressed": value.is_suppressed,
        "is_erased": value.is_erased,
        "score_version": value.score_version,
        "qualified_number": value.qualified_number,
        "demoted_number": value.demoted_number,
        "facts": dict(value.facts),
        "external": [list(each) for each in value.external],
        "changed_at": now,
    }
