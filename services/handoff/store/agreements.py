"""The agreement versions this service has received, and which one it decides by.

A version never changes once stored, so parsed ones are kept per process. Without any, the shipped default decides.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text

from services.handoff.domain.sla import Terms
from services.handoff.store.rows import insert_rows, upsert_rows
from services.handoff.tables import active, agreement, queue
from shared.contracts.agreement import Agreement, default_agreement
from shared.db.engine import ReadTx, Tx

__all__ = [
    "SLOT",
    "due_activation",
    "generation",
    "keep_agreement",
    "known_terms",
    "next_effective",
    "routing_value",
    "switch",
    "terms_of",
]

SLOT = "agreement"
_WRITE_POOL = text(
    """
    insert into pool (name, skills, is_active) values (:name, cast(:skills as jsonb), true)
    on conflict (name) do update set skills = excluded.skills, is_active = true
    """
)
_WRITE_MEMBER = text(
    """
    insert into member (pool, rep_id, weight, load_max, leads_per_30_days, is_member)
    values (:pool, :rep, :weight, :load_max, :leads, true)
    on conflict (pool, rep_id) do update
       set weight = excluded.weight, load_max = excluded.load_max,
           leads_per_30_days = excluded.leads_per_30_days, is_member = true
    """
)
_SHA256 = text("select sha256 from agreement where agreement_id = :id and version = :version")
_parsed: dict[tuple[str, int, str], Terms] = {}
_PARSED_MAX = 64  # a deployment has a handful in force; tests make many


async def terms_of(tx: ReadTx, agreement_id: str, version: int) -> Terms:
    """One stored version; the shipped default when it is that one or was never received."""
    sha256 = (await tx.execute(_SHA256, {"id": agreement_id, "version": version})).scalar()
    return await known_terms(tx, agreement_id, version, sha256)


async def known_terms(tx: ReadTx, agreement_id: str | None, version: int | None, sha256: str | None) -> Terms:
    """The version that somebody has looked up already; the shipped default when there is none."""
    if agreement_id is None or version is None or sha256 is None:
        return _default()
    key = (agreement_id, version, sha256)
    if key not in _parsed:
        read = select(agreement.c.document).where(agreement.c.agreement_id == agreement_id)
        document = (await tx.execute(read.where(agreement.c.version == version))).scalar_one()
        if len(_parsed) >= _PARSED_MAX:
            _parsed.clear()
        _parsed[key] = Terms(agreement_id, version, Agreement.model_validate_json(document))
    return _parsed[key]


async def keep_agreement(tx: Tx, row: dict[str, Any]) -> None:
    """Store a published version; one that is there already stays as it is."""
    await insert_rows(tx, agreement, [row], is_once=True)


async def due_activation(tx: ReadTx) -> tuple[str, int, datetime] | None:
    """The newest version whose time has come and which is not the active one: id, version, effective_from."""
    found = (
        await tx.execute(
            """
            select a.agreement_id, a.version, a.effective_from
              from agreement a left join active on active.slot = :slot
             where a.effective_from <= baton_now() and a.version > coalesce(active.generation, 0)
             order by a.version desc limit 1
            """,
            {"slot": SLOT},
        )
    ).first()
    return None if found is None else (found.agreement_id, found.version, found.effective_from)


async def next_effective(tx: ReadTx) -> datetime | None:
    """The next moment at which a stored version comes into force."""
    found: datetime | None = (
        await tx.execute("select min(effective_from) from agreement where effective_from > baton_now()")
    ).scalar()
    return found


async def generation(tx: ReadTx) -> int:
    """The generation of the active agreement; 0 when the default decides without having been received."""
    return int((await tx.execute(select(active.c.generation).where(active.c.slot == SLOT))).scalar() or 0)


async def switch(tx: Tx, terms: Terms, *, now: datetime) -> bool:
    """Decide by this version from now on, with its pools and queues; False when a later one already decides."""
    switched = await tx.execute(
        """
        insert into active as a (slot, agreement_id, version, generation, activated_at)
        values (:slot, :agreement_id, :version, :version, :now)
        on conflict (slot) do update
           set agreement_id = excluded.agreement_id, version = excluded.version,
               generation = excluded.generation, activated_at = excluded.activated_at
         where a.generation < excluded.generation
        returning slot
        """,
        {"slot": SLOT, "agreement_id": terms.agreement_id, "version": terms.version, "now": now},
    )
    if switched.first() is None:
        return False
    await _write_pools(tx, terms)
    return True


async def _write_pools(tx: Tx, terms: Terms) -> None:
    """Pools and members follow the agreement; the ledger's counters stay, whoever joins begins with none owed."""
    routing = terms.document.routing
    names = [each.name for each in routing.pools]
    await tx.execute("select name from pool order by name for update")
    await tx.execute(text("update pool set is_active = false where not name = any(:names)"), {"names": names})
    for each in routing.pools:
        await tx.execute(_WRITE_POOL, {"name": each.name, "skills": orjson.dumps(each.skills).decode()})
    await tx.execute("update member set is_member = false where is_member")
    for each in routing.pools:
        for one in each.members:
            values = {"weight": one.weight, "load_max": one.load_max, "leads": one.leads_per_30_days}
            await tx.execute(_WRITE_MEMBER, {"pool": each.name, "rep": UUID(one.rep), **values})
    fallback = routing.fallback
    await upsert_rows(tx, queue, [{"name": fallback.queue, "owner": fallback.owner, "is_pull": True}])
    await tx.execute(text("update queue set owner = :owner"), {"owner": fallback.owner})


def _default() -> Terms:
    document = default_agreement()
    key = (document.agreement.id, document.agreement.version, "default")
    if key not in _parsed:
        _parsed[key] = Terms(document.agreement.id, document.agreement.version, document)
    return _parsed[key]


def routing_value(terms: Terms) -> dict[str, Any]:
    """The routing section as a JSON value, as routing reads it and its records keep it."""
    value: dict[str, Any] = terms.document.routing.model_dump(mode="json", by_alias=True, exclude_none=True)
    return value
