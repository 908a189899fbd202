"""What came before a handoff could take it, of both kinds, in one look: most handoffs find nothing."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

from services.handoff.store.results import Result
from services.handoff.store.tries import Try
from shared.db.engine import ReadTx
from shared.ids import AccountId, ActivityId, LeadId, UserId

__all__ = ["read_early"]

# Tries are sought in the whole account, results by person.
_EARLY = text(
    """
    select true as is_try, s.id, l.id as lead_id, l.root_id, l.account_id, s.actor_id, s.kind as word,
           0 as version, cast(null as text) as reason_code, s.occurred_at
      from lead l join sales_activity s on s.lead_id = l.id
     where l.id = any(:leads) or l.root_id = any(:roots) or l.account_id = any(:scopes)
     union all
    select false, r.id, l.id, l.root_id, l.account_id, cast(null as uuid), r.result,
           r.version, r.reason_code, r.occurred_at
      from lead l join kept_result r on r.lead_id = l.id
     where l.id = any(:leads) or l.root_id = any(:roots)
     order by occurred_at, version, id
    """
).bindparams(*(bindparam(name, type_=ARRAY(Uuid)) for name in ("leads", "roots", "scopes")))


async def read_early(
    tx: ReadTx, lead_ids: Iterable[UUID], *, roots: Iterable[UUID], scopes: Iterable[UUID]
) -> tuple[list[Try], list[tuple[LeadId, Result]]]:
    """What is kept of these members and people: tries, also of everybody in these accounts, and results.

    Each in the order it happened; a result with the person's root as stored.
    """
    asked = {"leads": sorted(set(lead_ids)), "roots": sorted(set(roots)), "scopes": sorted(set(scopes))}
    tries: list[Try] = []
    results: list[tuple[LeadId, Result]] = []
    for row in await tx.execute(_EARLY, asked):
        if row.is_try:
            account_id = None if row.account_id is None else AccountId(row.account_id)
            person = (LeadId(row.lead_id), LeadId(row.root_id), account_id)
            tries.append(Try(ActivityId(row.id), *person, UserId(row.actor_id), row.word, row.occurred_at))
        else:
            told = (row.word, row.version, row.reason_code, row.occurred_at)
            results.append((LeadId(row.root_id), Result(row.id, LeadId(row.lead_id), *told)))
    return tries, results
