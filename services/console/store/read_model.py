"""Loads and saves read-model rows, many at once. Columns are what is searched; `body` is the whole row as JSON.

Locks are taken in id order, leads before accounts before handoffs, so that batches of different partitions cannot wait
for each other in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from services.console.domain.records import (
    AccountRow,
    AgreementRow,
    HandoffRow,
    LeadRow,
    OpportunityRow,
    TimelineRow,
)
from shared.db.engine import Tx

__all__ = [
    "lock_accounts",
    "lock_handoffs",
    "lock_leads",
    "lock_opportunities",
    "mark_activity",
    "move_roots",
    "save_accounts",
    "save_agreements",
    "save_handoffs",
    "save_leads",
    "save_opportunities",
    "save_timeline",
]

R = TypeVar("R")

LEAD = TypeAdapter(LeadRow)
ACCOUNT = TypeAdapter(AccountRow)
HANDOFF = TypeAdapter(HandoffRow)
OPPORTUNITY = TypeAdapter(OpportunityRow)
AGREEMENT = TypeAdapter(AgreementRow)


def parse(adapter: TypeAdapter[R], body: Any) -> R:  # noqa: ANN401  # JSON as the driver hands it over
    """A row of its JSON, whether the driver decoded it or not."""
    return adapter.validate_json(body if isinstance(body, (str, bytes)) else orjson.dumps(body))


def _text(adapter: TypeAdapter[R], row: R) -> str:
    return adapter.dump_json(row).decode()


def lead_of(row: Any) -> LeadRow:  # noqa: ANN401  # a result row with lead_id, root_id and body
    """A lead's row; `root_id` is the column's, since merges of others move it."""
    if not row.body:
        return LeadRow(row.lead_id, row.root_id)
    return replace(parse(LEAD, row.body), root_id=row.root_id)


async def lock_leads(tx: Tx, lead_ids: Iterable[UUID]) -> dict[UUID, LeadRow]:
    """The rows of all these leads, locked in id order; a lead nobody knew yet gets a row first."""
    ids = sorted(set(lead_ids))
    if not ids:
        return {}
    await tx.execute(
        """
        insert into lead (lead_id, root_id) select id, id from unnest(cast(:ids as uuid[])) id order by id
        on conflict (lead_id) do nothing
        """,
        {"ids": ids},
    )
    found = await tx.execute(
        "select lead_id, root_id, body from lead where lead_id = any(:ids) order by lead_id for update", {"ids": ids}
    )
    return {row.lead_id: lead_of(row) for row in found}


async def save_leads(tx: Tx, rows: Sequence[LeadRow]) -> None:
    """Write leads that `lock_leads` locked. `root_id` is written by `move_roots` alone."""
    if not rows:
        return
    await tx.execute(
        """
        update lead set parent_id = new.parent_id, account_id = new.account_id, score = new.score,
               is_known = new.is_known, body = new.body
          from unnest(cast(:ids as uuid[]), cast(:parents as uuid[]), cast(:accounts as uuid[]), cast(:scores as int[]),
                      cast(:known as bool[]), cast(:bodies as jsonb[]))
               as new (lead_id, parent_id, account_id, score, is_known, body)
         where lead.lead_id = new.lead_id
        """,
        {
            "ids": [row.lead_id for row in rows],
            "parents": [row.parent_id for row in rows],
            "accounts": [row.account_id for row in rows],
            "scores": [row.score for row in rows],
            "known": [row.is_known for row in rows],
            "bodies": [_text(LEAD, row) for row in rows],
        },
    )


async def move_roots(tx: Tx, lead_ids: Sequence[UUID]) -> None:
    """Set the root of every lead in the trees of these leads to where its parents lead."""
    await tx.execute(
        """
        with recursive touched as (
            select lead_id from lead where root_id in (select root_id from lead where lead_id = any(:ids))
        ), up (lead_id, top, parent_id, depth) as (
            select lead.lead_id, lead.lead_id, lead.parent_id, 0 from lead join touched using (lead_id)
            union all
            select up.lead_id, lead.lead_id, lead.parent_id, up.depth + 1
              from up join lead on lead.lead_id = up.parent_id where up.depth < 60
        )
        update lead set root_id = up.top from up
         where up.parent_id is null and lead.lead_id = up.lead_id and lead.root_id <> up.top
        """,
        {"ids": list(lead_ids)},
    )


async def lock_accounts(tx: Tx, account_ids: Iterable[UUID]) -> dict[UUID, AccountRow]:
    """The known rows of these accounts, locked in id order."""
    ids = sorted(set(account_ids))
    if not ids:
        return {}
    await tx.execute(
        """
        insert into account (account_id, body) select id, '{}' from unnest(cast(:ids as uuid[])) id order by id
        on conflict (account_id) do nothing
        """,
        {"ids": ids},
    )
    found = await tx.execute(
        "select account_id, body from account where account_id = any(:ids) order by account_id for update", {"ids": ids}
    )
    return {row.account_id: parse(ACCOUNT, row.body) for row in found if row.body}


async def save_accounts(tx: Tx, rows: Sequence[AccountRow]) -> None:
    """Write accounts that `lock_accounts` locked."""
    if rows:
        await tx.execute(
            """
            update account set body = new.body
              from unnest(cast(:ids as uuid[]), cast(:bodies as jsonb[])) as new (account_id, body)
             where account.account_id = new.account_id
            """,
            {"ids": [row.account_id for row in rows], "bodies": [_text(ACCOUNT, row) for row in rows]},
        )


async def lock_handoffs(tx: Tx, handoff_ids: Iterable[UUID]) -> dict[UUID, HandoffRow]:
    """The known rows of these handoffs, locked in id order; one key is one partition, so nobody else makes them."""
    found = await tx.execute(
        "select handoff_id, body from handoff where handoff_id = any(:ids) order by handoff_id for update",
        {"ids": sorted(set(handoff_ids))},
    )
    return {row.handoff_id: parse(HANDOFF, row.body) for row in found}


async def save_handoffs(tx: Tx, rows: Sequence[HandoffRow]) -> None:
    """Write handoffs, new or known."""
    if not rows:
        return
    await tx.execute(
        """
        insert into handoff (handoff_id, root_lead_id, owner_id, state, opened_at, body)
        select * from unnest(cast(:ids as uuid[]), cast(:roots as uuid[]), cast(:owners as uuid[]),
                             cast(:states as text[]), cast(:opened as timestamptz[]), cast(:bodies as jsonb[]))
        on conflict (handoff_id) do update
           set root_lead_id = excluded.root_lead_id, owner_id = excluded.owner_id, state = excluded.state,
               opened_at = excluded.opened_at, body = excluded.body
        """,
        {
            "ids": [row.handoff_id for row in rows],
            "roots": [row.root_lead_id for row in rows],
            "owners": [row.owner_id for row in rows],
            "states": [row.state for row in rows],
            "opened": [row.opened_at for row in rows],
            "bodies": [_text(HANDOFF, row) for row in rows],
        },
    )


async def lock_opportunities(tx: Tx, opportunity_ids: Iterable[UUID]) -> dict[UUID, OpportunityRow]:
    """The known rows of these deals, locked in id order."""
    found = await tx.execute(
        "select opportunity_id, body from opportunity where opportunity_id = any(:ids) order by 1 for update",
        {"ids": sorted(set(opportunity_ids))},
    )
    return {row.opportunity_id: parse(OPPORTUNITY, row.body) for row in found}


async def save_opportunities(tx: Tx, rows: Sequence[OpportunityRow]) -> None:
    """Write deals, new or known."""
    if rows:
        await tx.execute(
            """
            insert into opportunity (opportunity_id, lead_id, body)
            select * from unnest(cast(:ids as uuid[]), cast(:leads as uuid[]), cast(:bodies as jsonb[]))
            on conflict (opportunity_id) do update set lead_id = excluded.lead_id, body = excluded.body
            """,
            {
                "ids": [row.opportunity_id for row in rows],
                "leads": [row.lead_id for row in rows],
                "bodies": [_text(OPPORTUNITY, row) for row in rows],
            },
        )


async def save_agreements(tx: Tx, rows: Sequence[AgreementRow]) -> None:
    """Keep published versions; one that is known stays as it is."""
    for row in rows:
        await tx.execute(
            """
            insert into agreement (agreement_id, version, effective_from, body)
            values (:agreement_id, :version, :effective_from, cast(:body as jsonb)) on conflict do nothing
            """,
            {
                "agreement_id": row.agreement_id,
                "version": row.version,
                "effective_from": row.effective_from,
                "body": _text(AGREEMENT, row),
            },
        )


async def save_timeline(tx: Tx, rows: Sequence[TimelineRow]) -> None:
    """Keep lines of the timeline; a known one stays as it is."""
    if not rows:
        return
    await tx.execute(
        """
        insert into timeline (entry_id, lead_id, handoff_id, name, occurred_at, recorded_at, details)
        select * from unnest(cast(:ids as uuid[]), cast(:leads as uuid[]), cast(:handoffs as uuid[]),
                             cast(:names as text[]), cast(:occurred as timestamptz[]), cast(:recorded as timestamptz[]),
                             cast(:details as jsonb[]))
        on conflict (entry_id) do nothing
        """,
        {
            "ids": [row.entry_id for row in rows],
            "leads": [row.lead_id for row in rows],
            "handoffs": [row.handoff_id for row in rows],
            "names": [row.name for row in rows],
            "occurred": [row.occurred_at for row in rows],
            "recorded": [row.recorded_at for row in rows],
            "details": [orjson.dumps(row.details).decode() for row in rows],
        },
    )


async def mark_activity(tx: Tx, corrections: Mapping[UUID, Mapping[str, Any]]) -> None:
    """Write a new judgement (`human`) to the lines of activities; a line that is not there yet stays away."""
    for entry_id, details in corrections.items():
        await tx.execute(
            "update timeline set details = details || cast(:details as jsonb) where entry_id = :entry_id",
            {"entry_id": entry_id, "details": orjson.dumps(dict(details)).decode()},
        )
