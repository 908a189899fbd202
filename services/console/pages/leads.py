"""The list of leads and the Lead page: one timeline of both teams, why this score, why this rep, consent.

`?at=` shows what had been recorded by that moment, and asks scoring for the score of then.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from services.console.domain.clocks import clock_face
from services.console.domain.hidden import shown
from services.console.domain.lead import score_why, stage_of, why_this_rep
from services.console.domain.records import HandoffRow, LeadRow, UserRow
from services.console.domain.rights import Reach, Role, Viewer, reach_of, sees_handoff
from services.console.domain.timeline import GROUPS, timeline_of
from services.console.domain.words import label
from services.console.pages.funnel import period_of
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visit, Visiting, answer, frame, must_open, stream_address
from services.console.store import pages, people
from shared.db.engine import ReadTx, reading
from shared.errors import NotFound

__all__ = ["lead_values", "router"]

router = APIRouter()

KEYS = keys_of([(("/",), "Find")])
FOUND_MOST = 20
SEARCH_LENGTH_MAX = 200  # ingest's own bound
FOUND_BEHIND_MOST = 200
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # no zone's local time of it leaves the calendar
SCORE_MOST = 100_000  # far beyond any score: what lies further is no cursor of ours


@router.get("/leads")
async def show_leads(visit: Visiting, q: str = "", step: str = "", days: int = 90, after: str = "") -> HTMLResponse:
    """Leads by score, by name (asked of ingest), or behind one number of the funnel (asked of feedback)."""
    must_open(visit, "leads")
    q = q[:SEARCH_LENGTH_MAX]
    ids, failed = await _chosen_ids(visit, q=q.strip(), step=step, days=days)
    async with reading(visit.database) as tx:
        users = await people.users(tx)
        rows = await _rows(tx, reach_of(visit.viewer, users.values()), ids, after)
        entries = await _entries(tx, rows, visit.viewer, users, is_chosen=ids is not None)
        drawing = await frame(visit, tx, [row.lead_id for row in rows])
        last = rows[-1] if ids is None and len(rows) == pages.LIST_ROWS else None
        return answer(
            "pages/leads.html",
            drawing,
            page_title="Leads",
            page_name="leads",
            key_sheet=KEYS,
            leads=entries,
            q=q,
            step=step,
            failed=failed,
            list_title=f"Behind the number {_step_title(step)}" if step else (f"Found for {q}" if q else "By score"),
            next_address=f"/leads?after={_score(last)}.{last.lead_id}" if last else None,
        )


@router.get("/leads/find")
async def find_leads(visit: Visiting, q: str = "") -> JSONResponse:
    """Leads by name, for the palette."""
    ids, _ = await _chosen_ids(visit, q=q[:SEARCH_LENGTH_MAX].strip(), step="", days=90)
    async with reading(visit.database) as tx:
        users = await people.users(tx)
        rows = await _rows(tx, reach_of(visit.viewer, users.values()), (ids or [])[:FOUND_MOST], "")
        entries = await _entries(tx, rows, visit.viewer, users, is_chosen=True)
    names = await visit.profiles.of(entry["lead"].lead_id for entry in entries)
    found = []
    for entry in entries:
        profile = names.get(entry["lead"].lead_id)
        name = (profile.name or profile.email if profile else "") or "Unnamed lead"
        found.append({"id": str(entry["lead"].root_id), "name": shown(name), "hint": str(_score(entry["lead"]))})
    return JSONResponse({"leads": found})


@router.get("/leads/{lead_id}")
async def show_lead(visit: Visiting, lead_id: UUID, show: str = "", at: datetime | None = None) -> HTMLResponse:
    """The page of one person."""
    must_open(visit, "leads")
    async with reading(visit.database) as tx:
        # The number before the rows: what changes meanwhile comes by the stream.
        address = (
            await stream_address(tx, "lead", lead=lead_id, show=show if show in GROUPS else "") if at is None else None
        )
        drawing, values = await lead_values(visit, tx, lead_id, group=show or None, at=at)
    return answer(
        "pages/lead.html",
        drawing,
        page_title="Lead",
        page_name="leads",
        key_sheet=KEYS,
        stream_address=address,
        **values,
    )


async def lead_values(
    visit: Visit, tx: ReadTx, lead_id: UUID, *, group: str | None = None, at: datetime | None = None
) -> tuple[Any, dict[str, Any]]:
    """The drawing and values of one person's page. Raises NotFound when there is none in this person's view."""
    found = await pages.person(tx, lead_id)
    users = await people.users(tx)
    if found is None or not _sees_person(visit.viewer, found.handoffs, users):
        raise NotFound("There is no lead with this id in your view.")
    moment = _past(at, now=tx.now)
    rows = await pages.timeline_of(tx, found.members, known_by=moment)
    handoff = max(found.handoffs, key=lambda one: (one.opened_at, one.cycle), default=None)
    explanation = await visit.owners.score(found.lead.lead_id, principal=visit.principal, at=moment)
    record, told = await _decision(visit, handoff)
    drawing = await frame(visit, tx, [found.lead.lead_id])
    return drawing, {
        "lead": found.lead,
        "account": found.account,
        "handoff": handoff,
        "clock": clock_face(handoff, now=tx.now) if handoff and moment is None else None,
        "stage": stage_of(found.lead, found.handoffs),
        "timeline": timeline_of(
            rows[: pages.TIMELINE_ROWS_MOST], users=users, group=group if group in GROUPS else None
        ),
        "groups": GROUPS,
        "group": group,
        "as_of": moment,
        "has_more": len(rows) > pages.TIMELINE_ROWS_MOST,
        "why": score_why(explanation, found.lead),
        "rep_reason": why_this_rep(record, handoff, users),
        "rep_told": told,
        "members": len(found.members),
        "opportunities": found.opportunities,
        "handoffs": found.handoffs,
        "lead_address": f"/leads/{found.lead.root_id}",
    }


def _past(at: datetime | None, *, now: datetime) -> datetime | None:
    """The moment to go back to; None, which is now, for one that lies ahead."""
    if at is None:
        return None
    moment = at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
    return max(moment, EARLIEST) if moment < now else None


async def _decision(visit: Visit, handoff: HandoffRow | None) -> tuple[Any, str]:
    if handoff is None or handoff.decision_id is None:
        return None, ""
    found = await visit.owners.routing_decision(handoff.decision_id, principal=visit.principal)
    return (found or {}).get("record"), "" if found is not None else "The decision record is not available to you now."


def _sees_person(viewer: Viewer, handoffs: Iterable[HandoffRow], users: dict[UUID, UserRow]) -> bool:
    """Marketing, revops and admins see everybody; reps and managers the people of handoffs in their view."""
    if viewer.role not in {Role.REP, Role.MANAGER}:
        return True
    return any(sees_handoff(viewer, handoff, users) for handoff in handoffs)


async def _chosen_ids(visit: Visit, *, q: str, step: str, days: int) -> tuple[list[UUID] | None, Told | None]:
    """The leads a search or a number names; None when nothing narrows the list."""
    if q:
        found = await visit.owners.ask("ingest", "/v1/leads", principal=visit.principal, params={"q": q, "limit": 100})
        if found is None:
            return [], Told("bad", "Names cannot be searched now: ingest does not answer.")
        return _ids(found.get("leads") or []), None
    if step:
        async with reading(visit.database) as tx:
            params = {"number": step, "limit": str(FOUND_BEHIND_MOST), **period_of(tx.now, days)}
        found = await visit.owners.ask("feedback", "/v1/reports/funnel/leads", principal=visit.principal, params=params)
        if found is None:
            return [], Told("bad", "The leads behind this number are not available now: feedback does not answer.")
        return _ids(found.get("lead_ids") or []), None
    return None, None


def _ids(values: Iterable[Any]) -> list[UUID]:
    return [UUID(str(one.get("lead_id") or one.get("id")) if isinstance(one, dict) else str(one)) for one in values]


async def _rows(tx: ReadTx, reach: Reach, ids: list[UUID] | None, after: str) -> list[LeadRow]:
    if ids is not None:
        found = await pages.leads_by_id(tx, ids)
        return list({row.lead_id: row for one in ids if (row := found.get(one))}.values())
    return await pages.leads_by_score(tx, after=_key(after), reach=reach)


async def _entries(
    tx: ReadTx, rows: list[LeadRow], viewer: Viewer, users: dict[UUID, UserRow], *, is_chosen: bool
) -> list[dict[str, Any]]:
    """The rows of the list; of a chosen list those in view only."""
    by_root: dict[UUID, list[HandoffRow]] = {}
    for handoff in await pages.handoffs_of_leads(tx, [row.root_id for row in rows]):
        by_root.setdefault(handoff.root_lead_id, []).append(handoff)
    accounts = await pages.accounts_of(tx, [row.account_id for row in rows])
    return [
        {
            "lead": row,
            "account": accounts.get(row.account_id) if row.account_id else None,
            "handoff": by_root[row.root_id][-1] if row.root_id in by_root else None,
            "stage": stage_of(row, by_root.get(row.root_id, [])),
        }
        for row in rows
        if not is_chosen or _sees_person(viewer, by_root.get(row.root_id, []), users)
    ]


def _step_title(step: str) -> str:
    name = step.removeprefix("detour/")
    return label("state" if name != step else "step", name)


def _score(row: LeadRow) -> int:
    return -1 if row.score is None else row.score


def _key(after: str) -> tuple[int, UUID] | None:
    score, _, lead_id = after.partition(".")
    try:
        key = int(score), UUID(lead_id)
    except ValueError:
        return None
    return key if abs(key[0]) <= SCORE_MOST else None
