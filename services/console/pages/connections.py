"""Connections: what delivers to us, how it stands, and connecting one more; all of it asked of ingest when drawn.

Senders and their steps come from ingest, which found them; this page knows none by name.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from services.console.domain.connections import SourceRow, bars_of, moment_of, source_row, texts_of
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visit, Visiting, answer, frame, must_open
from shared.db.engine import reading
from shared.errors import NotFound

__all__ = ["draw_list", "draw_made", "draw_new", "draw_source", "router"]

router = APIRouter()

KEYS = keys_of([])
WAIT_LOOKS_MOST = 150  # of two seconds: five minutes, then the page says what to check
_AWAY = Told("bad", "Ingest does not answer now: the sources cannot be shown. Load the page again in a moment.")


@router.get("/connections")
async def show_connections(visit: Visiting) -> HTMLResponse:
    """All sources."""
    return await draw_list(visit)


@router.get("/connections/new")
async def show_new(visit: Visiting, sender: Annotated[str, Query(max_length=64)] = "") -> HTMLResponse:
    """Choose a sender, then say what it needs."""
    return await draw_new(visit, sender=sender, form={})


@router.get("/connections/{source_id}")
async def show_source(visit: Visiting, source_id: UUID) -> HTMLResponse:
    """One source."""
    return await draw_source(visit, source_id)


@router.get("/connections/{source_id}/wait")
async def show_wait(
    visit: Visiting,
    source_id: UUID,
    last: Annotated[str, Query(max_length=40)] = "",
    parked: int = 0,
    looks: int = 0,
) -> HTMLResponse:
    """Whether something came since: the part of the page that asks again until it did."""
    must_open(visit, "connections")
    found = await visit.owners.ask("ingest", f"/v1/sources/{source_id}", principal=visit.principal)
    at = moment_of(found["standing"]["last_received_at"] if found else last)
    parked_now = int(found["standing"]["parked"]) if found else parked
    state = "waiting"
    if parked_now > parked:
        state = "parked"
    elif at is not None and (not last or at != moment_of(last)):
        state = "received"
    elif looks >= WAIT_LOOKS_MOST:
        state = "silent"
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    return answer(
        "parts/wait.html",
        drawing,
        wait={"source_id": source_id, "state": state, "at": at, "last": last, "parked": parked, "looks": looks + 1},
    )


async def draw_list(visit: Visit, *, told: Told | None = None) -> HTMLResponse:
    """The list, with what a command did."""
    must_open(visit, "connections")
    senders = await _senders(visit)
    listed = await visit.owners.ask("ingest", "/v1/sources", principal=visit.principal)
    titles = {name: one["title"] for name, one in senders.items()}
    rows = [source_row(one, titles) for one in (listed or {}).get("sources", ()) if one["sender"] in senders]
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    return answer(
        "pages/connections.html",
        drawing,
        page_title="Connections",
        page_name="connections",
        key_sheet=KEYS,
        rows=sorted(rows, key=_trouble_first),
        told=told if listed is not None else _AWAY,
        is_away=listed is None,
    )


async def draw_new(
    visit: Visit, *, sender: str, form: Mapping[str, str], told: Told | None = None, status: int = 200
) -> HTMLResponse:
    """The wizard's first or second step, with what was typed."""
    must_open(visit, "connections")
    senders = await _senders(visit)
    if sender and sender not in senders:
        raise NotFound("There is no such sender: choose one of those that are listed.")
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    return answer(
        "pages/connection_new.html",
        drawing,
        status,
        page_title="Connect a source",
        page_name="connections",
        key_sheet=KEYS,
        senders=list(senders.values()),
        chosen=senders.get(sender),
        form=defaultdict(str, form),
        told=told if senders else _AWAY,
    )


async def draw_made(visit: Visit, made: Mapping[str, Any]) -> HTMLResponse:
    """A source that was just made: its keys, this once, and the steps at the sender."""
    senders = await _senders(visit)
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    keys = [key for key in made["keys"] if "key" in key]
    return answer(
        "pages/connection_made.html",
        drawing,
        page_title=made["name"],
        page_name="connections",
        key_sheet=KEYS,
        made=made,
        keys=keys,
        steps=_steps(senders.get(made["sender"]), made["url"], keys[0]["key"] if keys else None),
        wait={"source_id": made["id"], "state": "waiting", "at": None, "last": "", "parked": 0, "looks": 0},
    )


async def draw_source(
    visit: Visit,
    source_id: UUID,
    *,
    told: Told | None = None,
    status: int = 200,
    new_key: Mapping[str, Any] | None = None,
    is_waiting: bool = False,
    form: Mapping[str, str] | None = None,
    tried: Sequence[Mapping[str, Any]] | None = None,
) -> HTMLResponse:
    """One source with its keys, settings and troubles. Raises NotFound when ingest knows none."""
    must_open(visit, "connections")
    senders = await _senders(visit)
    found = await visit.owners.ask("ingest", f"/v1/sources/{source_id}", principal=visit.principal)
    standing = await visit.owners.ask("ingest", f"/v1/sources/{source_id}/standing", principal=visit.principal)
    if found is None or standing is None:
        raise NotFound("There is no source with this id, or ingest does not answer now.")
    row = source_row(found, {name: one["title"] for name, one in senders.items()})
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    last, parked = found["standing"]["last_received_at"] or "", found["standing"]["parked"]
    return answer(
        "pages/connection.html",
        drawing,
        status,
        page_title=row.name,
        page_name="connections",
        key_sheet=KEYS,
        row=row,
        source=found,
        proof=senders.get(row.sender, {}).get("proof", ""),
        steps=_steps(senders.get(row.sender), row.url, None),
        bars=bars_of(standing["hours"], now=drawing.world.now),
        refusals=[_dated(one) for one in standing["refusals"]],
        parked=standing["parked"],
        keys=[_dated_key(one, drawing.world.now) for one in found["keys"]],
        texts=defaultdict(str, texts_of(found["settings"]) if form is None else form),
        told=told,
        tried=None if tried is None else [{**one, "at": moment_of(one["received_at"])} for one in tried],
        new_secret=new_key,
        wait={"source_id": source_id, "state": "waiting", "at": None, "last": last, "parked": parked, "looks": 0}
        if is_waiting
        else None,
    )


async def _senders(visit: Visit) -> dict[str, dict[str, Any]]:
    """What can be connected, by its name; empty when ingest does not answer."""
    found = await visit.owners.ask("ingest", "/v1/senders", principal=visit.principal)
    return {one["sender"]: one for one in (found or {}).get("senders", ())}


def _steps(sender: Mapping[str, Any] | None, url: str, key: str | None) -> list[str]:
    """The steps at a sender with the address and the key in their places."""
    said = key or "the key of this source"
    return [step.replace("{url}", url).replace("{key}", said) for step in (sender or {}).get("setup", ())]


def _trouble_first(row: SourceRow) -> tuple[int, float, str]:
    return (-row.parked, -row.refused_share, row.name.lower())


def _dated(refusal: Mapping[str, Any]) -> dict[str, Any]:
    samples = [{**one, "at": moment_of(one["refused_at"])} for one in refusal["samples"]]
    return {**refusal, "last": moment_of(refusal["last_at"]), "samples": samples}


def _dated_key(key: Mapping[str, Any], now: Any) -> dict[str, Any]:  # noqa: ANN401 - a moment
    until = moment_of(key["valid_until"])
    return {
        **key,
        "since": moment_of(key["created_at"]),
        "until": until,
        "has_ended": until is not None and until <= now,
    }
