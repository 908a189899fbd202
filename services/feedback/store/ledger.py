"""What feedback must be able to account for, by id, and how much of its own work is due."""

from sqlalchemy import text

from shared.db.engine import ReadTx
from shared.db.ledger import LedgerCheck
from shared.db.standing import Due

LEDGER: tuple[LedgerCheck, ...] = (
    LedgerCheck(
        "outcomes",
        "each outcome is current or superseded by exactly one that is recorded later",
        """
        select s.outcome_id::text from outcome s left join outcome o on o.outcome_id = s.supersedes
         where s.supersedes is not null and (o.outcome_id is null or o.recorded_at > s.recorded_at)
        union all
        select supersedes::text from outcome where supersedes is not null group by supersedes having count(*) > 1
        """,
    ),
    LedgerCheck(
        "outcomes",
        "each deal stands for one current outcome of its own",
        """
        select d.opportunity_id::text from opportunity d
          left join current_outcome o on o.outcome_id = d.outcome_id
         where o.outcome_id is null or o.object <> d.external_id or o.source <> d.system
            or o.object_version <> d.object_version
        """,
    ),
    LedgerCheck(
        "outcomes",
        "the credits of a deal sum to its amount under every model",
        """
        select d.opportunity_id::text || ' ' || m.model
          from opportunity d cross join (values ('first'), ('last'), ('linear')) m (model)
          left join credit c on c.opportunity_id = d.opportunity_id and c.model = m.model
         group by d.opportunity_id, d.amount_minor, m.model
        having sum(c.amount_minor) is distinct from coalesce(d.amount_minor, 0)
        """,
    ),
    LedgerCheck(
        "outcomes",
        "each step of a handoff that says what became of it is an outcome",
        """
        select h.handoff_id::text || ' ' || (step ->> 'seq')
          from handoff h cross join lateral jsonb_array_elements(h.steps) step
         where (step ->> 'kind' in ('accepted', 'rejected')
                or step ->> 'disposition' in ('opportunity', 'recycle', 'disqualify'))
           and not exists (select from outcome o
                            where o.source = 'handoff' and o.object = h.handoff_id::text
                              and o.object_version = (step ->> 'seq')::integer)
        """,
    ),
    LedgerCheck(
        "models",
        "what decides in a slot is its newest promotion",
        """
        select a.slot from active a
         where a.model_id is not null
           and not exists (select from promotion p
                            where p.slot = a.slot and p.generation = a.generation and p.model_id = a.model_id)
        """,
    ),
)

_CREDITS = text("select count(*) from credit_due")
_AGREEMENTS = text(
    """
    select (select count(*) from agreement g
             where g.effective_from <= :now
               and g.version > coalesce((select version from active where slot = 'agreement'), 0)) as due,
           (select min(effective_from) from agreement where effective_from > :now) as next_due_at
    """
)


async def credits_standing(tx: ReadTx) -> Due:
    """Deals to credit again."""
    return Due(due=int((await tx.execute(_CREDITS)).scalar_one()), next_due_at=None)


async def agreements_standing(tx: ReadTx) -> Due:
    """Versions whose date has come and that are not active yet, and the next date."""
    row = (await tx.execute(_AGREEMENTS, {"now": tx.now})).one()
    return Due(due=row.due, next_due_at=row.next_due_at)
