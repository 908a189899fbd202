"""The attempt log of an endpoint, and what a person does from it: a test event, and sending again what has ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, bindparam, text

from services.handoff.store.dispatches import wake_loop
from shared.db.engine import ReadTx, Tx
from shared.db.ledger import LedgerCheck
from shared.ids import DispatchId, EndpointId

__all__ = ["DISPATCH_LEDGER", "attempts_page", "notices_not_out", "resend", "write_test"]

DISPATCH_LEDGER = (
    LedgerCheck(
        "dispatches",
        "each attempt counted stands in the log, and no other",
        """
        select d.id::text from dispatch d
         where d.attempts <> (select count(*) from attempt a where a.dispatch_id = d.id)
        """,
    ),
    LedgerCheck(
        "dispatches",
        "done says that the last attempt delivered, unknown that its result is not written",
        """
        select d.id::text from dispatch d join attempt a on a.dispatch_id = d.id and a.number = d.attempts
         where (d.state = 'done' and a.outcome <> 'delivered') or (d.state = 'unknown' and a.outcome <> 'unknown')
        """,
    ),
)


_NOT_OUT = text(
    """
    select d.event_id from dispatch d left join attempt a on a.dispatch_id = d.id and a.number = d.attempts
     where d.event_id = any(:ids)
       and (d.state in ('waiting', 'unknown')
            or (d.state = 'failed' and (a.outcome is distinct from 'not_sent' or a.status is not null)))
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def notices_not_out(tx: ReadTx, notice_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Those of the notices whose mail waits or failed for a reason beyond our settings.

    Where no mail server or address is set, the console is how people are told, and nothing is owed.
    """
    return frozenset((await tx.execute(_NOT_OUT, {"ids": list(notice_ids)})).scalars()) if notice_ids else frozenset()


async def write_test(tx: Tx, endpoint_id: EndpointId, *, event_type: str, body: str, event_id: UUID) -> DispatchId:
    """One dispatch of a test event to this endpoint, due now."""
    await tx.execute(
        """
        insert into dispatch (id, lane_id, event_id, type, body, next_at, made_at)
        values (:event_id, :lane_id, :event_id, :type, :body, baton_now(), baton_now())
        """,
        {"event_id": event_id, "lane_id": endpoint_id, "type": event_type, "body": body},
    )
    wake_loop(tx)
    return DispatchId(event_id)


_RESEND = """
    update dispatch set state = 'waiting', next_at = baton_now(), attempts_before = attempts, ended_at = null,
           leased_until = null
     where lane_id = :id and state in ('done', 'failed')
"""


async def resend(
    tx: Tx,
    endpoint_id: EndpointId,
    *,
    dispatch_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    only_failed: bool = True,
) -> int:
    """Send again what has ended: one, or all made in [since, until); the same webhook-id, a schedule from the start."""
    wake_loop(tx)
    values = {"id": endpoint_id, "dispatch_id": dispatch_id, "since": since, "until": until}
    if dispatch_id is not None:
        found = await tx.execute(f"{_RESEND} and id = :dispatch_id", values)
        return found.rowcount
    which = " and state = 'failed'" if only_failed else ""
    ends = " and made_at >= :since" + (" and made_at < :until" if until is not None else "")
    return (await tx.execute(f"{_RESEND}{which}{ends}", values)).rowcount


async def attempts_page(
    tx: ReadTx, endpoint_id: UUID, *, after: tuple[int, int] | None, limit: int, event_type: str | None = None
) -> Sequence[Row[Any]]:
    """Attempts of one endpoint, the newest first, from behind `after` (dispatch number, attempt)."""
    where = " and (d.number, a.number) < (cast(:dispatch as bigint), cast(:attempt as bigint))" if after else ""
    kind = " and d.type = :type" if event_type else ""
    values: dict[str, Any] = {"id": endpoint_id, "limit": limit, "type": event_type}
    if after:
        values |= {"dispatch": after[0], "attempt": after[1]}
    found = await tx.execute(
        f"""
        select d.id as dispatch_id, d.number as dispatch_number, d.event_id, d.type, d.state, d.lead_id, d.handoff_id,
               a.number, a.started_at, a.milliseconds, a.outcome, a.status, a.answer, a.error, a.is_repeat, a.next_at
          from dispatch d join attempt a on a.dispatch_id = d.id
         where d.lane_id = :id{where}{kind}
         order by d.number desc, a.number desc limit :limit
        """,  # noqa: S608 - conditions of ours
        values,
    )
    return found.all()
