"""What people and systems read of handoffs: rows in their view, a page at a time, and what belongs to one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.handoff.store.handoffs import CHANGES_KEPT_DAYS
from services.handoff.store.rows import Rows, plain_rows
from shared.db.engine import ReadTx

__all__ = [
    "Filters",
    "View",
    "assignments_of",
    "audit_of",
    "clocks_of_handoffs",
    "evidence_of",
    "is_in_view",
    "list_by_ids",
    "list_handoffs",
    "notes_of",
    "pools_shown",
    "queues_shown",
    "rep_names",
    "touches_of",
]


@dataclass(frozen=True, slots=True)
class View:
    """Whose rows a caller sees: all, those of a team, or a rep's own and offered ones."""

    user_id: UUID | None = None
    team_id: UUID | None = None

    @property
    def where(self) -> str:
        """The condition on a handoff `h`; its values are in `values`."""
        if self.user_id is None and self.team_id is None:
            return "true"
        mine = "a.rep_id = :view_user" if self.team_id is None else "(a.rep_id = :view_user or r.team_id = :view_team)"
        seen = (
            f"exists (select from assignment a left join rep r on r.id = a.rep_id where a.handoff_id = h.id and {mine})"
        )
        if self.team_id is not None:
            return f"(h.owner_id is null or {seen})"
        in_pool = "exists (select from member m where m.rep_id = :view_user and m.is_member and m.pool = h.pool)"
        return f"({seen} or (h.state = 'queued' and {in_pool}))"

    @property
    def values(self) -> dict[str, Any]:
        """The values of `where`."""
        return {"view_user": self.user_id, "view_team": self.team_id}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; None means any."""

    state: tuple[str, ...] = ()
    owner_id: UUID | None = None
    team_id: UUID | None = None
    lead_id: UUID | None = None
    account_id: UUID | None = None
    queue: str | None = None
    tier: str | None = None
    updated_since: datetime | None = None
    is_open: bool | None = None


_OPEN = "('qualified', 'queued', 'assigned', 'accepted', 'working', 'opportunity')"
_CONDITIONS: Mapping[str, str] = {
    "owner_id": "h.owner_id = :owner_id",
    "team_id": "h.owner_id in (select id from rep where rep.team_id = :team_id)",
    "lead_id": "(h.lead_id = :lead_id or h.root_lead_id = :lead_id)",
    "account_id": "h.account_id = :account_id",
    "queue": "h.queue = :queue",
    "tier": "h.tier = :tier",
    "updated_since": "h.changed_at >= :updated_since",
}
_LATELY = "h.id in (select handoff_id from handoff_change where changed_at >= :updated_since)"


async def list_handoffs(
    tx: ReadTx, view: View, filters: Filters, *, after: tuple[datetime, UUID] | None, limit: int
) -> Rows:
    """Rows in view, oldest opening first; the order never changes while somebody pages."""
    conditions = [view.where]
    values: dict[str, Any] = {**view.values, "limit": limit}
    for name, condition in _CONDITIONS.items():
        value = getattr(filters, name)
        if value is not None:
            conditions.append(condition)
            values[name] = value
    if filters.updated_since is not None and tx.now - filters.updated_since < timedelta(days=CHANGES_KEPT_DAYS):
        conditions.append(_LATELY)
    if filters.state:
        conditions.append("h.state = any(:states)")
        values["states"] = list(filters.state)
    if filters.is_open is not None:
        conditions.append(f"(h.state in {_OPEN}) = :is_open")
        values["is_open"] = filters.is_open
    if after is not None:
        conditions.append("(h.opened_at, h.id) > (:after_at, :after_id)")
        values |= {"after_at": after[0], "after_id": after[1]}
    used = {name: value for name, value in values.items() if f":{name}" in " ".join(conditions) or name == "limit"}
    statement = (
        f"select h.* from handoff h where {' and '.join(conditions)}"  # noqa: S608 - fixed conditions, bound values
        " order by h.opened_at, h.id limit :limit"
    )
    return plain_rows(await tx.execute(text(statement), used))


async def list_by_ids(tx: ReadTx, handoff_ids: Sequence[UUID]) -> Rows:
    """Rows by id, whatever the view: ask is_in_view before."""
    found = await tx.execute(text("select * from handoff where id = any(:ids)"), {"ids": list(handoff_ids)})
    return plain_rows(found)


async def is_in_view(tx: ReadTx, view: View, handoff_id: UUID) -> bool:
    """Whether a caller sees a handoff at all."""
    where = view.where
    used = {name: value for name, value in view.values.items() if f":{name}" in where}
    statement = text(f"select true from handoff h where h.id = :id and {where}")  # noqa: S608 - our own words
    return (await tx.execute(statement, {"id": handoff_id, **used})).first() is not None


async def clocks_of_handoffs(tx: ReadTx, handoff_ids: Sequence[UUID]) -> dict[UUID, Rows]:
    """All clocks of these handoffs, oldest first."""
    return await _grouped(
        tx,
        """
        select handoff_id, id, number, kind, state, level, armed_at, due_at, due_at_first, fire_at, ended_at, cause,
               calendar, is_late_by_system, is_late_evidence, is_held
          from clock where handoff_id = any(:ids) order by handoff_id, number
        """,
        handoff_ids,
    )


async def assignments_of(tx: ReadTx, handoff_id: UUID) -> Rows:
    """Who had it, in order."""
    statement = (
        "select id, attempt, rep_id, pool, is_over_capacity, started_at, accepted_at, ended_at, ended_how"
        " from assignment where handoff_id = :id order by attempt"
    )
    return plain_rows(await tx.execute(text(statement), {"id": handoff_id}))


async def evidence_of(tx: ReadTx, handoff_id: UUID) -> Rows:
    """Why it was qualified, newest first."""
    statement = (
        "select decision_id, lead_id, score, fit, engagement, cast(reasons as text) as reasons,"
        " cast(facts as text) as facts, activities, attached_at"
        " from evidence where handoff_id = :id order by attached_at desc, decision_id"
    )
    return plain_rows(await tx.execute(text(statement), {"id": handoff_id}))


async def touches_of(tx: ReadTx, handoff_id: UUID, *, limit: int) -> Rows:
    """What Sales tried, newest first."""
    statement = (
        "select id, actor_id, kind, occurred_at, recorded_at, is_late_evidence from touch"
        " where handoff_id = :id order by occurred_at desc, id limit :limit"
    )
    return plain_rows(await tx.execute(text(statement), {"id": handoff_id, "limit": limit}))


async def notes_of(tx: ReadTx, handoff_id: UUID, *, limit: int) -> Rows:
    """What people typed, newest first."""
    statement = (
        "select id, by_id, about, text, written_at from note where handoff_id = :id and text <> ''"
        " order by written_at desc, id limit :limit"
    )
    return plain_rows(await tx.execute(text(statement), {"id": handoff_id, "limit": limit}))


async def audit_of(tx: ReadTx, handoff_id: UUID, *, after: int, limit: int) -> Rows:
    """Every input with its verdict, oldest first."""
    statement = (
        "select id, kind, cast(input as text) as input, actor, actor_id, token_seen, verdict, why, state_before,"
        " state_after, token_after, seq_after, cast(effects as text) as effects, agreement_id, agreement_version, at"
        " from handoff_event where handoff_id = :id and id > :after order by id limit :limit"
    )
    found = await tx.execute(text(statement), {"id": handoff_id, "after": after, "limit": limit})
    return plain_rows(found)


async def queues_shown(tx: ReadTx) -> Rows:
    """The queues with their owner, how many wait, and since when the oldest does."""
    statement = """
        select q.name, q.owner, q.is_pull, count(h.id) as waiting, min(h.waiting_since) as oldest_since
          from queue q left join handoff h on h.queue = q.name and h.state = 'queued'
         group by q.name, q.owner, q.is_pull order by q.name
        """
    return plain_rows(await tx.execute(statement))


async def pools_shown(tx: ReadTx) -> Rows:
    """Every place in a pool: the ledger's row with the rep's load and whether it is on."""
    statement = """
        select p.name as pool, cast(p.skills as text) as skills, p.sequence, m.rep_id, m.weight, m.load_max,
               m.leads_per_30_days, m.received, m.credited, m.entitled, coalesce(r.load, 0) as load,
               coalesce(r.is_away, false) as is_away, r.id is not null as is_known, r.name
          from pool p left join member m on m.pool = p.name and m.is_member left join rep r on r.id = m.rep_id
         where p.is_active order by p.name, m.rep_id
        """
    return plain_rows(await tx.execute(statement))


async def _grouped(tx: ReadTx, statement: str, ids: Sequence[UUID]) -> dict[UUID, Rows]:
    found: dict[UUID, Rows] = {}
    if ids:
        for row in plain_rows(await tx.execute(text(statement), {"ids": list(ids)})):
            found.setdefault(row["handoff_id"], []).append(row)
    return found


async def rep_names(tx: ReadTx, rep_ids: Sequence[UUID]) -> dict[str, str]:
    """What reps are called, by the text of their ids; those without a name are absent."""
    rows = await tx.execute(
        text("select id, name from rep where id = any(:ids) and name <> ''"), {"ids": list(rep_ids)}
    )
    return {str(row.id): row.name for row in rows}
