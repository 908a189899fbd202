"""What the pages read: handoffs in view, one person's tree with its history, lists by key, the agreement.

Every list has a bound; none pages by offset.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.console.domain.records import (
    AccountRow,
    AgreementRow,
    HandoffRow,
    LeadRow,
    OpportunityRow,
    TimelineRow,
)
from services.console.domain.rights import Reach
from services.console.store.read_model import ACCOUNT, AGREEMENT, HANDOFF, OPPORTUNITY, lead_of, parse
from shared.db.engine import ReadTx

__all__ = [
    "OPEN_STATES",
    "Person",
    "accounts_of",
    "agreements",
    "handoff",
    "handoffs_of_leads",
    "held_before",
    "leads_by_id",
    "leads_by_score",
    "leads_in_view",
    "load_handoffs",
    "open_handoffs",
    "person",
    "timeline_of",
    "waiting_count",
]

OPEN_STATES = ("qualified", "queued", "assigned", "accepted", "working", "opportunity")
BOARD_ROWS_MOST = 2_000  # a board beyond this is no board; the page says what is hidden
TIMELINE_ROWS_MOST = 300
LIST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Person:
    """Everything the Lead page shows of one person; `lead` is the root's row."""

    lead: LeadRow
    members: tuple[UUID, ...]
    account: AccountRow | None
    handoffs: tuple[HandoffRow, ...]
    opportunities: tuple[OpportunityRow, ...]


async def open_handoffs(tx: ReadTx, *, owner_id: UUID | None = None) -> list[HandoffRow]:
    """Handoffs that somebody must act on, newest first; of one owner when named."""
    narrowed = " and owner_id = :owner_id" if owner_id else ""
    found = await tx.execute(
        f"select body from handoff where state = any(:states){narrowed} order by opened_at desc limit :most",  # noqa: S608
        {"states": list(OPEN_STATES), "most": BOARD_ROWS_MOST} | ({"owner_id": owner_id} if owner_id else {}),
    )
    return [parse(HANDOFF, row.body) for row in found]


async def load_handoffs(tx: ReadTx, handoff_ids: Iterable[UUID]) -> dict[UUID, HandoffRow]:
    """The rows of these handoffs."""
    found = await tx.execute("select body from handoff where handoff_id = any(:ids)", {"ids": list(handoff_ids)})
    rows = (parse(HANDOFF, row.body) for row in found)
    return {row.handoff_id: row for row in rows}


async def handoff(tx: ReadTx, handoff_id: UUID) -> HandoffRow | None:
    """One handoff, or None."""
    return (await load_handoffs(tx, [handoff_id])).get(handoff_id)


async def handoffs_of_leads(tx: ReadTx, root_ids: Iterable[UUID]) -> list[HandoffRow]:
    """All handoffs of these people, the latest cycle last."""
    found = await tx.execute(
        "select body from handoff where root_lead_id = any(:ids) order by opened_at", {"ids": list(root_ids)}
    )
    return [parse(HANDOFF, row.body) for row in found]


async def held_before(tx: ReadTx, handoffs: Sequence[HandoffRow], *, owner_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these handoffs that one of these users has held at some time."""
    found = await tx.execute(
        """
        select distinct handoff_id from timeline
         where lead_id = any(:lead_ids) and handoff_id = any(:ids) and details->>'owner_id' = any(:owners)
        """,
        {
            "lead_ids": [row.lead_id for row in handoffs],
            "ids": [row.handoff_id for row in handoffs],
            "owners": [str(owner_id) for owner_id in owner_ids],
        },
    )
    return set(found.scalars())


async def leads_by_id(tx: ReadTx, lead_ids: Iterable[UUID]) -> dict[UUID, LeadRow]:
    """The row to show for each of these leads: its root's, since score and qualification stand there."""
    found = await tx.execute(
        """
        select member.lead_id as asked_id, root.lead_id, root.root_id, root.body
          from lead member join lead root on root.lead_id = member.root_id where member.lead_id = any(:ids)
        """,
        {"ids": list(lead_ids)},
    )
    return {row.asked_id: lead_of(row) for row in found}


async def accounts_of(tx: ReadTx, account_ids: Iterable[UUID | None]) -> dict[UUID, AccountRow]:
    """The rows of these accounts that are known."""
    ids = [account_id for account_id in account_ids if account_id is not None]
    found = await tx.execute("select account_id, body from account where account_id = any(:ids)", {"ids": ids})
    return {row.account_id: parse(ACCOUNT, row.body) for row in found if row.body}


async def person(tx: ReadTx, lead_id: UUID) -> Person | None:
    """One person by any of its leads, or None."""
    found = (await leads_by_id(tx, [lead_id])).get(lead_id)
    if found is None:
        return None
    members = (await tx.execute("select lead_id from lead where root_id = :root", {"root": found.root_id})).scalars()
    ids = tuple(members)
    account = (await accounts_of(tx, [found.account_id])).get(found.account_id) if found.account_id else None
    deals = await tx.execute("select body from opportunity where lead_id = any(:ids)", {"ids": list(ids)})
    return Person(
        lead=found,
        members=ids,
        account=account,
        handoffs=tuple(await handoffs_of_leads(tx, [found.root_id])),
        opportunities=tuple(parse(OPPORTUNITY, row.body) for row in deals),
    )


async def timeline_of(
    tx: ReadTx, lead_ids: Sequence[UUID], *, known_by: datetime | None = None, limit: int = TIMELINE_ROWS_MOST
) -> list[TimelineRow]:
    """The newest lines of these leads, at most `limit` + 1 (one more says that there are more)."""
    narrowed = " and recorded_at <= :known_by" if known_by else ""
    found = await tx.execute(
        f"""
        select entry_id, lead_id, handoff_id, name, occurred_at, recorded_at, details from timeline
         where lead_id = any(:ids){narrowed} order by occurred_at desc, entry_id limit :limit
        """,  # noqa: S608 - a fixed text
        {"ids": list(lead_ids), "limit": limit + 1} | ({"known_by": known_by} if known_by else {}),
    )
    return [
        TimelineRow(
            row.entry_id, row.lead_id, row.name, row.occurred_at, row.recorded_at, _values(row.details), row.handoff_id
        )
        for row in found
    ]


async def leads_by_score(tx: ReadTx, *, after: tuple[int, UUID] | None, reach: Reach) -> list[LeadRow]:
    """Known people in view by falling score from a key on."""
    beyond = " and (coalesce(score, -1) < :score or (coalesce(score, -1) = :score and lead_id > :lead_id))"
    found = await tx.execute(
        f"""
        select lead_id, root_id, body from lead where lead_id = root_id and is_known
        and {_in_view(reach)}{beyond if after else ""}
         order by coalesce(score, -1) desc, lead_id limit :limit
        """,  # noqa: S608 - fixed texts
        {"limit": LIST_ROWS} | _reach_values(reach) | ({"score": after[0], "lead_id": after[1]} if after else {}),
    )
    return [lead_of(row) for row in found]


async def leads_in_view(tx: ReadTx, lead_ids: Iterable[UUID], *, reach: Reach) -> set[UUID]:
    """Those of these leads whose person has a handoff in view."""
    found = await tx.execute(
        f"select lead_id from lead where lead_id = any(:lead_ids) and {_in_view(reach)}",  # noqa: S608 - fixed texts
        {"lead_ids": list(lead_ids)} | _reach_values(reach),
    )
    return set(found.scalars())


def _in_view(reach: Reach) -> str:
    """The condition on a `lead` that its person has a handoff within reach."""
    if reach.owner_ids is None:
        return "true"
    unowned = " or owner_id is null" if reach.has_unowned else ""
    owned = f"owner_id = any(:owner_ids){unowned}"
    return f"exists (select from handoff where root_lead_id = lead.root_id and ({owned}))"


def _reach_values(reach: Reach) -> dict[str, object]:
    return {} if reach.owner_ids is None else {"owner_ids": list(reach.owner_ids)}


async def agreements(tx: ReadTx) -> list[AgreementRow]:
    """All published versions, the newest first."""
    found = await tx.execute("select body from agreement order by version desc")
    return [parse(AGREEMENT, row.body) for row in found]


async def waiting_count(tx: ReadTx, owner_id: UUID) -> int:
    """How many handoffs wait for this rep's accept."""
    found = await tx.execute(
        "select count(*) from handoff where owner_id = :owner_id and state = 'assigned'", {"owner_id": owner_id}
    )
    return int(found.scalar_one())


def _values(details: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON as the driver hands it over
    decoded: dict[str, Any] = orjson.loads(details) if isinstance(details, (str, bytes)) else details
    return decoded
