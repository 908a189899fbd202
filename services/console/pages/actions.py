"""The buttons: `POST /do/<command>` sends a command to its owner and draws the place it was pressed in again.

A lost race is answered 409 with the current state and one sentence; a refusal 422 with its reason. Without script the
same form posts and is sent back to its page.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.console.commands.act import Outcome, Pressed, act, body_of
from services.console.commands.leaving import UNDO_SECONDS, WAITING
from services.console.domain.agreement import in_force
from services.console.domain.board import BoardFilter
from services.console.domain.clocks import clock_face
from services.console.domain.durations import epoch, instant_of
from services.console.domain.races import lost_race_sentence
from services.console.domain.reasons import missing_field
from services.console.domain.records import HandoffRow
from services.console.domain.rights import sees_handoff
from services.console.domain.words import label
from services.console.pages.board import draw_board
from services.console.pages.parked import draw_parked, settle
from services.console.pages.queue import draw_queue
from services.console.pages.rendering import Told, zone_of
from services.console.pages.visit import Visit, Visiting
from services.console.store import leaving, pages, people
from services.console.store.leaving import LeavingRow
from shared.clock import monotonic, sleep
from shared.db.engine import reading, transaction
from shared.errors import NotFound, Unreadable
from shared.ids import new_id
from shared.web.auth import requires

__all__ = ["router"]

router = APIRouter(dependencies=[Depends(requires("any"))])

NO_UNDO_BEFORE_DEADLINE_SECONDS = 15
CATCH_UP_SECONDS = 1.0  # a press feels answered within a second
CATCH_UP_LOOK_SECONDS = 0.02
_HEADER_TEXT = re.compile(r"[!-~]{1,200}")
_DONE = {
    "accept": "Accepted. The first touch is due next.",
    "touch": "The touch is logged.",
    "resume": "The clock runs again.",
    "dispose": "What became of it is recorded.",
    "return": "Returned; another rep gets it.",
    "reassign": "Reassigned.",
    "reject": "Rejected.",
    "pause": "The clock stands still.",
    "pull": "It is yours now.",
}
_STATUS = {"done": 200, "lost": 409, "refused": 422, "away": 503}


async def form_of(visit: Visiting) -> dict[str, str]:
    """The text fields of the posted form."""
    form = await visit.request.form()
    return {name: value.strip() for name, value in form.items() if isinstance(value, str)}


Form = Annotated[dict[str, str], Depends(form_of)]


@router.post("/do/undo/{leaving_id}")
async def undo(visit: Visiting, leaving_id: UUID) -> Response:
    """Take a command back that has not left yet."""
    async with transaction(visit.database, "command") as tx:
        is_back = await leaving.take_back(tx, leaving_id, user_id=visit.user.user_id)
    told = Told("good", "Taken back.") if is_back else Told("bad", "Too late to take back: it has left.")
    return await _back(visit, "queue", told=told, status=200 if is_back else 409)


@router.post("/do/read/{leaving_id}")
async def read(visit: Visiting, leaving_id: UUID) -> Response:
    """A person has read what became of a command that did not take effect."""
    async with transaction(visit.database, "command") as tx:
        await leaving.read_unsent(tx, leaving_id, user_id=visit.user.user_id)
    return await _back(visit, "queue", told=None)


@router.post("/do/consent-default")
async def answer_consent(visit: Visiting, form: Form) -> Response:
    """Say what unknown consent means."""
    await visit.owners.public["ingest"].call(
        "PUT",
        "/v1/consent-default",
        principal=visit.principal,
        json={"is_allowed": form.get("answer") == "scored"},
        headers={"if-match": _in_a_header(form.get("etag") or '"0"'), "idempotency-key": str(new_id())},
    )
    visit.owners.forget_consent()
    return RedirectResponse("/agreement#consent", status_code=303)


@router.post("/do/replay-parked")
async def replay_parked(visit: Visiting, form: Form) -> Response:
    """Feed one parked event through again."""
    return await _settle_parked(visit, form, "replay")


@router.post("/do/discard-parked")
async def discard_parked(visit: Visiting, form: Form) -> Response:
    """Give one parked event up, with a reason."""
    return await _settle_parked(visit, form, "discard")


@router.post("/do/{command}")
async def press(visit: Visiting, command: str, form: Form) -> Response:
    """One command on a handoff."""
    async with reading(visit.database) as tx:
        pressed = _pressed(command, form, now=tx.now)
        row = await pages.handoff(tx, pressed.handoff_id)
        users = await people.users(tx)
        if row is None or not (sees_handoff(visit.viewer, row, users) or command == "pull"):
            raise NotFound("There is no handoff with this id in your view.")
        document = in_force(await pages.agreements(tx), now=tx.now)
        now = tx.now
    missing = missing_field(command, pressed.form, document)
    if missing:
        return await _back(visit, form.get("origin"), told=Told("bad", missing), status=422, focus=row.handoff_id)
    if command in WAITING and _may_wait(row, now):
        return await _let_wait(visit, pressed, now)
    outcome = await act(visit.owners, pressed, principal=visit.principal)
    row = await _caught_up(visit, row, outcome)
    told = _told(visit, pressed, outcome, row, users)
    return await _back(
        visit, form.get("origin"), told=told, status=_STATUS[outcome.kind], focus=_focus(pressed, outcome)
    )


def _pressed(command: str, form: Mapping[str, str], *, now: datetime) -> Pressed:
    try:
        sent = _in_utc(form, now=now)
        pressed = Pressed(command, UUID(form["handoff_id"]), int(form["token"]), _in_a_header(form["key"]), sent)
    except (KeyError, ValueError) as error:
        raise Unreadable("The form lacks the handoff, its token or its key: load the page again.") from error
    body_of(command, pressed.form)
    return pressed


def _in_a_header(text: str) -> str:
    """A text of a form that travels in a header. Raises Unreadable for one that no page of ours made."""
    if _HEADER_TEXT.fullmatch(text) is None:
        raise Unreadable("The form's key or version is malformed: load the page again.")
    return text


def _in_utc(form: Mapping[str, str], *, now: datetime) -> Mapping[str, str]:
    """A local time of a form as an instant; the form says in which zone it was meant."""
    if not form.get("until_at"):
        return form
    local = datetime.fromisoformat(form["until_at"])
    at = local if local.tzinfo else instant_of(local, zone_of(form.get("zone", "UTC")), after=now)
    return {**form, "until_at": at.isoformat()}


async def _caught_up(visit: Visit, row: HandoffRow, outcome: Outcome) -> HandoffRow:
    """The handoff's row once the read model holds what its owner answered, so that the page shows what was done.

    After CATCH_UP_SECONDS the row as it is: the stream brings the rest.
    """
    wanted = int(outcome.current.get("version", 0))
    until = monotonic() + CATCH_UP_SECONDS
    while row.seq < wanted and monotonic() < until:
        await sleep(CATCH_UP_LOOK_SECONDS)
        async with reading(visit.database) as tx:
            row = await pages.handoff(tx, row.handoff_id) or row
    return row


def _may_wait(row: HandoffRow, now: datetime) -> bool:
    """Not when the deadline is so near that waiting would miss it."""
    clock = clock_face(row, now=now)
    return (
        clock is None or clock.due_epoch - epoch(now) > NO_UNDO_BEFORE_DEADLINE_SECONDS or clock.due_epoch < epoch(now)
    )


async def _let_wait(visit: Visit, pressed: Pressed, now: datetime) -> Response:
    row = LeavingRow(
        leaving_id=new_id(),
        user_id=visit.user.user_id,
        handoff_id=pressed.handoff_id,
        command=pressed.command,
        token=pressed.token,
        body=dict(pressed.form),
        pressed_at=now,
    )
    async with transaction(visit.database, "command") as tx:
        is_first = await leaving.add_leaving(tx, row, seconds=UNDO_SECONDS)
    if not is_first:
        return await _back(visit, "queue", told=Told("bad", "A command on this lead is leaving already."), status=409)
    reason = label("reason", pressed.form.get("reason_code", ""))
    verb = "Reject" if pressed.command == "reject" else "Pause"
    told = Told("info", f"{verb}: {reason}. It leaves in {UNDO_SECONDS:g} seconds.", row.leaving_id)
    return await _back(visit, pressed.form.get("origin"), told=told)


def _told(visit: Visit, pressed: Pressed, outcome: Outcome, row: HandoffRow, users: Mapping[UUID, Any]) -> Told:
    if outcome.kind == "done":
        return Told("good", _DONE[pressed.command])
    if outcome.kind == "lost":
        zone = zone_of(visit.user.time_zone)
        return Told("bad", lost_race_sentence(row, users, me=visit.user.user_id, zone=zone, current=outcome.current))
    return Told("bad", outcome.detail)


def _focus(pressed: Pressed, outcome: Outcome) -> UUID | None:
    """Which lead stays in front: the one worked on, unless it was accepted and the next one waits."""
    return pressed.handoff_id if outcome.kind != "done" or pressed.command in {"touch", "pause", "resume"} else None


async def _settle_parked(visit: Visit, form: Mapping[str, str], verb: str) -> Response:
    try:
        parked_id = str(UUID(form.get("parked_id", "")))
    except ValueError as error:
        raise Unreadable("The form lacks the parked event: load the page again.") from error
    told = await settle(
        visit,
        service=form.get("service", ""),
        parked_id=parked_id,
        verb=verb,
        key=_in_a_header(form.get("key") or str(new_id())),
        reason=form.get("reason", ""),
    )
    if not visit.is_fragment:
        return RedirectResponse("/parked", status_code=303)
    return await draw_parked(visit, told=told, is_part=True, status=200 if told.kind == "good" else 422)


async def _back(
    visit: Visit, origin: str | None, *, told: Told | None, status: int = 200, focus: UUID | None = None
) -> Response:
    """The place the button stands in, drawn again; for a form without script its page."""
    if origin == "board":
        if not visit.is_fragment:
            return RedirectResponse("/board", status_code=303)
        return await draw_board(visit, chosen=BoardFilter(), told=told, is_part=True, status=status)
    response: HTMLResponse = await draw_queue(visit, focus=focus, told=told, is_part=visit.is_fragment, status=status)
    return response
