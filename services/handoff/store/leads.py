"""Leads and accounts: made when first named, locked as whole trees in id order, saved whole."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, bindparam, select, text

from services.handoff.domain.mirror import Lead
from services.handoff.store.rows import in_ids, upsert_rows
from services.handoff.tables import account, account_owner, connector, lead
from shared.db.engine import ReadTx, Tx
from shared.errors import Busy
from shared.ids import AccountId, LeadId, UserId

__all__ = [
    "account_facts",
    "account_owners",
    "advance_connector",
    "behind_handoff",
    "evidence_watermark",
    "lock_accounts",
    "lock_trees",
    "read_leads",
    "save_account",
    "save_leads",
]

_MAKE = text(
    """
    insert into lead (id, root_id, changed_at)
    select id, id, baton_now() from unnest(:ids) as named (id) order by id on conflict (id) do nothing
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_member = lead.alias("member")
_LOCK_TREES = (
    select(_member)
    .where(_member.c.root_id.in_(select(lead.c.root_id).where(in_ids(lead.c.id))))
    .order_by(_member.c.id)
    .with_for_update(of=_member)
)
_TREES = text(
    """
    select member.id from lead member
     where member.root_id in (select root_id from lead where id = any(:ids)) order by member.id
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_READ = select(lead).where(in_ids(lead.c.id))
# A tree that keeps growing under our hands is given back: the batch runs again.
_LOCK_ROUNDS = 4


async def lock_trees(tx: Tx, lead_ids: Iterable[UUID]) -> dict[LeadId, Lead]:
    """Make rows for the leads that have none, and lock the whole trees of all, in id order.

    Raises Busy (retryable) when the trees went on changing: the same batch again is right (DECISIONS 1).
    """
    wanted = sorted(set(lead_ids))
    if not wanted:
        return {}
    await tx.execute(_MAKE, {"ids": wanted})
    known: set[UUID] = set(wanted)
    for _ in range(_LOCK_ROUNDS):
        locked = (await tx.execute(_LOCK_TREES, {"ids": sorted(known)})).all()
        members = {row.id for row in locked}
        # A tree that changed while we waited for its rows is seen by the next statement only.
        again = set((await tx.execute(_TREES, {"ids": sorted(known | members)})).scalars())
        if again <= members:
            return {LeadId(row.id): _lead(row) for row in locked}
        known |= members | again
    raise Busy("The people of this batch are being merged right now.")


async def read_leads(tx: ReadTx, lead_ids: Sequence[UUID]) -> dict[LeadId, Lead]:
    """The leads as they are, without a lock; unknown ids are absent."""
    rows = (await tx.execute(_READ, {"ids": list(lead_ids)})).all()
    return {LeadId(row.id): _lead(row) for row in rows}


async def save_leads(tx: Tx, leads: Iterable[Lead], *, now: datetime) -> None:
    """Write whole rows of leads whose locks the caller holds."""
    await upsert_rows(tx, lead, [_lead_row(each, now) for each in sorted(leads, key=lambda each: each.id)])


async def behind_handoff(tx: ReadTx, handoff_id: UUID) -> set[LeadId]:
    """The leads whose qualifications opened or joined a handoff."""
    found = await tx.execute(text("select distinct lead_id from evidence where handoff_id = :id"), {"id": handoff_id})
    return {LeadId(each) for each in found.scalars()}


async def account_facts(tx: ReadTx, account_ids: Iterable[UUID]) -> dict[AccountId, Mapping[str, str]]:
    """What is known of accounts, as texts by name; unknown ids are absent."""
    wanted = sorted(set(account_ids))
    if not wanted:
        return {}
    rows = (await tx.execute(select(account.c.id, account.c.facts).where(in_ids(account.c.id)), {"ids": wanted})).all()
    return {AccountId(row.id): row.facts for row in rows}


async def lock_accounts(tx: Tx, account_ids: Iterable[UUID]) -> dict[AccountId, dict[str, Any]]:
    """Make and lock account rows in id order; after the leads, before the handoffs."""
    wanted = sorted(set(account_ids))
    if not wanted:
        return {}
    make = text(
        "insert into account (id, changed_at) select id, baton_now() from unnest(:ids) as named (id) order by id"
        " on conflict (id) do nothing"
    ).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
    await tx.execute(make, {"ids": wanted})
    locked = select(account).where(in_ids(account.c.id)).order_by(account.c.id).with_for_update()
    return {AccountId(row["id"]): dict(row) for row in (await tx.execute(locked, {"ids": wanted})).mappings()}


async def save_account(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write whole rows of accounts whose locks the caller holds."""
    await upsert_rows(tx, account, rows)


async def account_owners(tx: ReadTx, account_ids: Iterable[UUID]) -> dict[AccountId, UserId]:
    """The rep who owns each account; accounts without an owner are absent."""
    wanted = sorted(set(account_ids))
    if not wanted:
        return {}
    found = select(account_owner.c.account_id, account_owner.c.rep_id).where(in_ids(account_owner.c.account_id))
    return {AccountId(row.account_id): UserId(row.rep_id) for row in (await tx.execute(found, {"ids": wanted})).all()}


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
