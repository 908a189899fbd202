"""What `baton verify` asks of scoring, by id, and what is due here: for the demo's driver and for readiness."""

from typing import Any

from sqlalchemy import text

from shared.db.engine import ReadTx
from shared.db.ledger import LedgerCheck
from shared.db.standing import Due

__all__ = ["LEDGER", "due_work"]

# Places in the text of a standing (domain/qualify.py, Standing) and of a state (store/encoding.py).
LEDGER: tuple[LedgerCheck, ...] = (
    LedgerCheck(
        "scores",
        "each activity belongs to a lead that is here",
        "select a.activity_id::text from activity a where not exists (select from lead l where l.lead_id = a.lead_id)",
    ),
    LedgerCheck(
        "scores",
        "each lead has counted each of its kept activities exactly once",
        """
        select l.lead_id::text
          from lead l
          left join (select lead_id, count(*) as kept from activity group by lead_id) a on a.lead_id = l.lead_id
         cross join lateral (
               select coalesce(sum((seen.value ->> 0)::bigint), 0) as counted
                 from jsonb_each(coalesce(l.state::jsonb -> 'k', '{}')) as seen) k
         where k.counted < coalesce(a.kept, 0)
            or (k.counted > coalesce(a.kept, 0) and (l.state::jsonb ->> 'f')::bigint
                > extract(epoch from baton_now() - interval '760 days') * 1000000)
        """,
    ),
    LedgerCheck(
        "scores",
        "each qualification a lead counts has its stored decision",
        """
        select l.lead_id::text || ':' || number
          from lead l
         cross join generate_series(1, coalesce((l.standing::jsonb ->> 2)::int, 0)) as number
         where (l.standing::jsonb ->> 1)::bigint
               > extract(epoch from baton_now() - interval '760 days') * 1000000
           and not exists (
               select from decision d
                where d.lead_id = l.lead_id and d.account_id is null and d.kind = 'qualified' and d.number = number)
        """,
    ),
    LedgerCheck(
        "scores",
        "no stored qualification is beyond what its lead counts",
        """
        select d.decision_id::text
          from decision d join lead l on l.lead_id = d.lead_id
         where d.kind = 'qualified' and d.account_id is null
           and d.number > coalesce((l.standing::jsonb ->> 2)::int, 0)
        """,
    ),
    LedgerCheck(
        "scores",
        "each decision of the last week left as an event",
        """
        select d.decision_id::text
          from decision d
         where d.kind in ('qualified', 'demoted', 'account_qualified')
           and d.decided_at > baton_now() - interval '7 days'
           and not exists (select from outbox o where o.event_id = d.decision_id)
           and not exists (select from outbox_sent o where o.event_id = d.decision_id)
        """,
    ),
    LedgerCheck(
        "identity",
        "each root counts its members, and each member's root is a root",
        """
        select r.lead_id::text
          from lead r
          left join (select root_id, count(*) as members from lead group by root_id) m on m.root_id = r.lead_id
         where r.root_id = r.lead_id and r.tree_size <> coalesce(m.members, 0)
         union all
        select l.lead_id::text
          from lead l left join lead r on r.lead_id = l.root_id
         where r.lead_id is null or r.root_id <> r.lead_id
        """,
    ),
)

_DUE = text(
    """
    select (select count(*) from lead where recheck_at <= :now and root_id = lead_id)
         + (select count(*) from account where recheck_at <= :now)
         + (select count(*) from account_due)
         + (select count(*) from rescan)
         + (select count(*) from simulation where state = 'asked')
         + (select count(*) from agreement
             where effective_from <= :now
               and version > coalesce((select generation from active where slot = 'agreement'), 0)) as due,
           least(
               (select min(recheck_at) from lead where recheck_at > :now and root_id = lead_id),
               (select min(recheck_at) from account where recheck_at > :now),
               (select min(effective_from) from agreement where effective_from > :now)) as next_due_at
    """
)


async def due_work(tx: ReadTx) -> Due:
    """Re-checks, accounts, rescans and activations that are due, and when the next one will be."""
    row: Any = (await tx.execute(_DUE, {"now": tx.now})).one()
    return Due(row.due, row.next_due_at)
