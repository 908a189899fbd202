"""`GET /stream`: server-sent events of one page, filtered by what its person may see.

Unnamed messages are `<hx-partial>` fragments with the change number as their id; named ones are `open` (the first byte:
only now a page says "live"), `arrivals`, `world` and `stale` (load the page again: the number seen is older than the
kept window, or greater than the current one after a restore).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.console.domain.agreement import in_force
from services.console.domain.queue import MINE, QueueItem
from services.console.domain.resume import resume_from
from services.console.domain.rights import Role, reach_of, sees_handoff
from services.console.domain.timeline import timeline_of
from services.console.pages.items import visible
from services.console.pages.leads import lead_values
from services.console.pages.queue import RECENT_LINES
from services.console.pages.rendering import Drawing, World, draw, zone_of
from services.console.pages.visit import Visit, Visiting, reason_choices
from services.console.pages.watching import Batch, Watch, Watching, load_batch
from services.console.store import changes, leaving, pages, people
from services.console.usecases.prove import Prover
from shared.clock import monotonic
from shared.config import Environment
from shared.db.engine import ReadTx, reading
from shared.errors import NotFound

__all__ = ["router"]

router = APIRouter()

_OPEN = frozenset(pages.OPEN_STATES)
_WITH_ROWS = frozenset({"queue", "board"})


@router.get("/stream")
async def stream(
    visit: Visiting, page: str = "", since: str = "", lead: UUID | None = None, show: str = ""
) -> StreamingResponse:
    """The live part of one page; `show` is the filter of a lead's timeline."""
    last_seen = visit.request.headers.get("last-event-id") or since
    watching: Watching = visit.request.app.state.watching
    session = visit.session.token_sha256
    watching.must_have_room(session, most=visit.settings.streams_per_session)

    async def messages() -> AsyncIterator[bytes]:
        async with watching.watch(session) as watch:
            async for message in _Stream(visit, page, lead, show=show).run(watch, last_seen):
                yield message

    return StreamingResponse(messages(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


class _Stream:
    """One open stream: the page it feeds, and the rows this page has shown."""

    def __init__(self, visit: Visit, page: str, lead_id: UUID | None, *, show: str) -> None:
        self._visit = visit
        self._page = page
        self._lead_id = lead_id
        self._show = show
        self._members: frozenset[UUID] = frozenset()
        self._shown: set[UUID] = set()
        self._number = 0  # the last change this stream has told

    async def run(self, watch: Watch, last_seen: str) -> AsyncIterator[bytes]:
        """All messages until the session or the process ends."""
        async with reading(self._visit.database) as tx:
            current = await changes.current_number(tx)
            resume = resume_from(last_seen, current=current, kept=changes.CHANGES_KEPT)
            await self._prepare(tx)
        self._number = resume.number
        yield _message("", name="stale" if resume.is_stale else "open", number=self._number)
        async for message in self._catch_up():
            yield message
        every = self._visit.settings.session_proven_every_seconds
        proven_until = monotonic() + every
        while True:
            if monotonic() >= proven_until:
                if not await self._is_same_person():
                    yield _message("", name="stale", number=self._number)
                    return
                proven_until = monotonic() + every
                yield b": still here\n\n"
            try:
                async with asyncio.timeout(proven_until - monotonic()):
                    batch = await watch.waiting.get()
            except TimeoutError:
                continue
            if batch is None:
                if watch.is_behind:
                    yield _message("", name="stale", number=self._number)
                return
            async for message in self._follow(batch):
                yield message

    async def _follow(self, batch: Batch) -> AsyncIterator[bytes]:
        """What a batch of the reader says to this page, after what lies between the two."""
        if batch.after > self._number:
            async for message in self._catch_up():
                yield message
        if batch.number > self._number:
            self._number = batch.number
            yield await self._drawn(batch)
        if batch.world:
            yield _message(batch.world, name="world", number=self._number)

    async def _catch_up(self) -> AsyncIterator[bytes]:
        """What happened between the number told last and now, or `stale` when that is not kept any more."""
        while True:
            async with reading(self._visit.database) as tx:
                found = await changes.changes_after(tx, self._number)
                if not found:
                    return
                batch = await load_batch(tx, found, self._visit.profiles, number=self._number)
                if self._page in _WITH_ROWS:  # the page was drawn when these rows were in view, perhaps
                    rows = [item.handoff for item in batch.items]
                    self._shown |= await pages.held_before(tx, rows, owner_ids=await self._owners_in_view(tx))
            is_whole = batch.after == self._number
            self._number = batch.number
            yield await self._drawn(batch) if is_whole else _message("", name="stale", number=self._number)

    async def _prepare(self, tx: ReadTx) -> None:
        if self._page == "queue":
            self._shown = {row.handoff_id for row in await pages.open_handoffs(tx, owner_id=self._visit.user.user_id)}
        elif self._page == "board":
            rows = visible(await pages.open_handoffs(tx), self._visit.viewer, await people.users(tx))
            self._shown = {row.handoff_id for row in rows}
        if self._lead_id is not None:
            found = await pages.person(tx, self._lead_id)
            self._members = frozenset(found.members) if found else frozenset()

    async def _owners_in_view(self, tx: ReadTx) -> frozenset[UUID]:
        """Whose handoffs may stand on this page; empty for who sees all, whose rows never leave the view."""
        if self._page == "queue":
            return frozenset({self._visit.user.user_id})
        return reach_of(self._visit.viewer, (await people.users(tx)).values()).owner_ids or frozenset()

    async def _is_same_person(self) -> bool:
        """Whether the session still lives and its user has the same role and team."""
        prover: Prover = self._visit.request.app.state.authenticate
        session = await prover.session(self._visit.request)
        return session is not None and session.user == self._visit.user

    async def _drawn(self, batch: Batch) -> bytes:
        """One batch as messages of this page; always with its number, so that a reconnect goes on from here."""
        parts: list[str] = []
        arrived: list[UUID] = []
        for item in batch.items:
            if sees_handoff(self._visit.viewer, item.handoff, batch.users):
                self._shown.add(item.handoff.handoff_id)
                parts.extend(await self._row(item, batch))
                if item.handoff.state in (MINE if self._page == "queue" else _OPEN):
                    arrived.append(item.handoff.handoff_id)
            elif item.handoff.handoff_id in self._shown:
                self._shown.discard(item.handoff.handoff_id)
                parts.extend(self._gone(item))
        if self._page == "queue" and batch.items:
            parts.append(await self._unsent(batch))
        if self._page == "lead" and self._members & batch.lead_ids:
            parts.append(await self._lead())
        messages = [_message("".join(parts), number=batch.number)]
        if arrived and self._page in _WITH_ROWS:
            told = json.dumps({"ids": [str(one) for one in arrived]})
            messages.append(_message(told, name="arrivals", number=batch.number))
        return b"".join(messages)

    async def _row(self, item: QueueItem, batch: Batch) -> Iterable[str]:
        target = f"#h-{item.handoff.handoff_id}"
        if self._page == "board":
            may_reassign = self._visit.viewer.role in {Role.MANAGER, Role.REVOPS}
            key = ("board", item.handoff.handoff_id, may_reassign, self._visit.user.time_zone)
            if key not in batch.drawn:
                batch.drawn[key] = draw(
                    "parts/board_line.html", self._drawing(batch), item=item, may_reassign=may_reassign
                )
            return [_partial(target, batch.drawn[key])]
        if self._page == "queue":
            if item.handoff.state not in MINE:
                return self._gone(item)
            drawing = self._drawing(batch)
            entry = draw("parts/queue_line.html", drawing, item=item)
            return [
                _partial(target, entry),
                _partial(f"#card-{item.handoff.handoff_id}", await self._card(item, drawing)),
            ]
        return []

    async def _card(self, item: QueueItem, drawing: Drawing) -> str:
        async with reading(self._visit.database) as tx:
            rows = await pages.timeline_of(tx, [item.lead.lead_id, item.handoff.lead_id], limit=40)
            reasons = reason_choices(in_force(await pages.agreements(tx), now=tx.now))
        recent = timeline_of(rows, users=drawing.users)[:RECENT_LINES]
        return draw("parts/queue_front.html", drawing, item=item, recent=recent, suggested="", reasons=reasons)

    def _gone(self, item: QueueItem) -> list[str]:
        """What stands where a row was that is not in view any more; it says nothing about whose it is."""
        handoff_id = item.handoff.handoff_id
        if self._page == "board":
            words = "This lead is no longer in your view."
            row = (
                f'<tr id="h-{handoff_id}" class="is-gone"><td colspan="7"><span class="quiet">{words}</span></td></tr>'
            )
            return [_partial(f"#h-{handoff_id}", row)]
        if self._page != "queue":
            return []
        words = "This lead is no longer in your queue."
        return [
            _partial(f"#row-{handoff_id}", f'<span class="entry is-leaving" id="row-{handoff_id}">{words}</span>'),
            _partial(
                f"#card-{handoff_id} .acts-bar",
                f'<div class="acts-bar"><p role="status">{words}</p></div>',
                "outerHTML",
            ),
        ]

    async def _unsent(self, batch: Batch) -> str:
        """What this person's waiting commands came to, when one of them did not take effect; mostly nothing."""
        async with reading(self._visit.database) as tx:
            rows = await leaving.unsent_of(tx, self._visit.user.user_id)
        if not rows:
            return ""
        profiles = await self._visit.profiles.of(row.lead_id for row in rows)
        drawing = replace(self._drawing(batch), profiles=profiles)
        return _partial("#unsent", draw("parts/unsent.html", drawing, unsent=rows), "innerMorph")

    async def _lead(self) -> str:
        assert self._lead_id is not None
        async with reading(self._visit.database) as tx:
            try:
                drawing, values = await lead_values(self._visit, tx, self._lead_id, group=self._show or None)
            except NotFound:  # it left this person's view
                return ""
        return _partial("#work", draw("parts/lead_work.html", drawing, **values), "innerMorph")

    def _drawing(self, batch: Batch) -> Drawing:
        zone = zone_of(self._visit.user.time_zone)
        is_demo = self._visit.settings.environment is Environment.DEMO
        world = World(now=batch.now, speed=1.0, zone=zone, is_demo=is_demo)
        return Drawing(self._visit.user, self._visit.session.csrf, world, batch.users, batch.profiles)


def _partial(target: str, content: str, swap: str = "outerMorph") -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{content}</hx-partial>'


def _message(content: str, *, number: int, name: str = "") -> bytes:
    """One server-sent event; content may have any line breaks."""
    lines = [f"id: {number}"]
    if name:
        lines.append(f"event: {name}")
    lines.extend(f"data: {line}" for line in (content.splitlines() or [""]))
    return ("\n".join(lines) + "\n\n").encode()
