"""What `baton verify` asks of scoring, by id, and what is due here: for the demo's driver and for readiness."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from shared.db.engine import ReadTx
from shared.db.ledger import LedgerCheck
from shared.db.standing import Due

__all__ = ["LEDGER", "Waiting", "due_work", "waiting_work"]

# Places in the text of a standing (domain/qualify.py, Standing) and of a state (store/encoding.py).
LEDGER: tuple[LedgerCheck, ...] = (
    LedgerCheck(
        "scores",
        "each sum has counted each kept activity of its line exactly once",
        """
        select l.lead_id::text || ' ' || tally.key
          from lead l
         cross join lateral jsonb_each(coalesce(l.state::jsonb -> 0 -> 0, '{}')) as tally
         cross join lateral (
               select split_part(split_part(tally.key, '@', 1), ':', 1) as kind,
                      split_part(split_part(tally.key, '@', 1), ':', 2) as content,
                      (tally.value ->> 1)::bigint as times) as line
         cross join lateral (
               select count(*) as kept
                 from activity a
                 left join lateral (
                      select human from correction where activity_id = a.activity_id
                       order by recorded_at desc, event_id desc limit 1) c on true
                where a.lead_id = l.lead_id and a.kind = line.kind and coalesce(c.human, a.human) >= 0.5
                  and (line.content = '' or a.content = line.content)) as history
         where (l.state::jsonb ->> 3)::bigint > extract(epoch from baton_now() - interval '760 days') * 1000000
           and (line.times > history.kept
                or (line.content <> '' and tally.key ~ '^[^@]+@[^@]+(@negative)?$' and line.times < history.kept))
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
                where d.lead_id = l.lead_id and d.account_id is null and d.number = number
                  and d.kind in ('qualified', 'taken_over'))
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

_WAITING = text(
    """
    select (select count(*) from lead where recheck_at <= :now and root_id = lead_id) as leads,
           (select count(*) from account where recheck_at <= :now) + (select count(*) from account_due) as accounts,
           (select count(*) from rescan) as rescans,
           (select count(*) from simulation where state = 'asked') as simulations,
           (select count(*) from agreement
             where effective_from <= :now
               and version > coalesce((select generation from active where slot = 'agreement'), 0)) as agreements,
           least(
               (select min(recheck_at) from lead where recheck_at > :now and root_id = lead_id),
               (select min(recheck_at) from account where recheck_at > :now),
               (select min(effective_from) from agreement where effective_from > :now)) as next_due_at
    """
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many pieces of each kind are due now, and when the next one will be."""

    leads: int
    accounts: int
    rescans: int
    simulations: int
    agreements: int
    next_due_at: datetime | None


async def waiting_work(tx: ReadTx) -> Waiting:
    """Re-checks, accounts, rescans, simulations and activations that are due."""
    row: Any = (await tx.execute(_WAITING, {"now": tx.now})).one()
    return Waiting(*row)


async def due_work(tx: ReadTx) -> Due:
    """All of it as one number, for the demo's driver and for readiness."""
    found = await waiting_work(tx)
    due = found.leads + found.accounts + found.rescans + found.simulations + found.agreements
    return Due(due, found.next_due_at)
