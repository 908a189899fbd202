"""What people and the CRM do with a handoff over HTTP.

Every command carries the token seen in If-Match and an Idempotency-Key; a lost race is 409 with the current state.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.handoff.api.asked import (
    DisposeAsked,
    Empty,
    EnrolAsked,
    OpenAsked,
    PauseAsked,
    ReassignAsked,
    RejectAsked,
    RevokeAsked,
    TouchAsked,
    typed,
)
from services.handoff.api.seen import actor_of, answer_of, check_in_view, handoff_value, refusal, rep_of, token_seen
from services.handoff.domain.lifecycle import inputs
from services.handoff.store import handoffs
from services.handoff.usecases import commanding
from services.handoff.usecases.commanding import Commanded, OpenByHand, TypedNote
from shared.db.engine import Tx
from shared.errors import Refused
from shared.ids import LeadId, UserId, new_id
from shared.web.app_factory import database_of
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command

__all__ = ["router"]

router = APIRouter(prefix="/v1")
Actor = Annotated[Principal, Depends(requires("handoffs:act"))]
Opener = Annotated[Principal, Depends(requires("handoffs:open"))]
Manager = Annotated[Principal, Depends(requires("handoffs:manage"))]
_PRESSED_BEFORE_MOST = timedelta(minutes=5)  # a reject dated further back would rewrite who answered in time


@router.post("/handoffs/{handoff_id}/accept")
async def accept(request: Request, principal: Actor, handoff_id: UUID, asked: Empty | None = None) -> Response:
    """The owner takes it."""

    def made(_: Tx, by: UserId) -> inputs.Input:
        return inputs.Accept(token=token_seen(request), actor=actor_of(principal), by=by)

    return await _by_owner(request, principal, handoff_id, asked, made)


@router.post("/handoffs/{handoff_id}/reject")
async def reject(request: Request, principal: Actor, handoff_id: UUID, asked: RejectAsked) -> Response:
    """The owner returns it unworked, with a reason."""

    def made(tx: Tx, by: UserId) -> inputs.Input:
        pressed_at = min(tx.now, max(asked.pressed_at or tx.now, tx.now - _PRESSED_BEFORE_MOST))
        return inputs.Reject(
            token=token_seen(request), actor=actor_of(principal), by=by, reason=asked.reason(), pressed_at=pressed_at
        )

    return await _by_owner(request, principal, handoff_id, asked, made, note=asked.note("reject"))


@router.post("/handoffs/{handoff_id}/touch")
async def touch(request: Request, principal: Actor, handoff_id: UUID, asked: TouchAsked | None = None) -> Response:
    """The owner's side tried to reach the lead."""
    given = asked or TouchAsked()

    async def run(tx: Tx) -> Commanded:
        return await commanding.touch(
            tx,
            handoff_id,
            token=token_seen(request),
            actor=actor_of(principal),
            by=await _rep(tx, principal, asked, handoff_id),
            touched_at=given.touched_at,
            kind=given.kind,
            command_id=new_id(),
            note=typed("touch", given.text),
        )

    return await _command(request, principal, handoff_id, run)


@router.post("/handoffs/{handoff_id}/dispose")
async def dispose(request: Request, principal: Actor, handoff_id: UUID, asked: DisposeAsked) -> Response:
    """The owner ends working it."""

    def made(_: Tx, by: UserId) -> inputs.Input:
        return inputs.Dispose(
            token=token_seen(request), actor=actor_of(principal), by=by, how=asked.disposition, reason=asked.reason()
        )

    return await _by_owner(request, principal, handoff_id, asked, made, note=asked.note(asked.disposition))


@router.post("/handoffs/{handoff_id}/pause")
async def pause(request: Request, principal: Actor, handoff_id: UUID, asked: PauseAsked) -> Response:
    """The owner stops the clocks for an agreed reason."""

    async def run(tx: Tx) -> Commanded:
        return await commanding.pause(
            tx,
            handoff_id,
            token=token_seen(request),
            actor=actor_of(principal),
            by=await _rep(tx, principal, asked, handoff_id),
            reason=asked.reason_code,
            until=asked.until_at,
            command_id=new_id(),
        )

    return await _command(request, principal, handoff_id, run)


@router.post("/handoffs/{handoff_id}/resume")
async def resume(request: Request, principal: Actor, handoff_id: UUID, asked: Empty | None = None) -> Response:
    """The owner goes on before the pause ends."""

    def made(_: Tx, by: UserId) -> inputs.Input:
        return inputs.Resume(token=token_seen(request), actor=actor_of(principal), by=by)

    return await _by_owner(request, principal, handoff_id, asked, made)


@router.post("/handoffs/{handoff_id}/pull")
async def pull(request: Request, principal: Actor, handoff_id: UUID, asked: Empty | None = None) -> Response:
    """A member of the pool takes it from a queue."""

    async def run(tx: Tx) -> Commanded:
        rep_id = rep_of(principal, asked.rep_id if asked else None, None)
        if rep_id is None:
            raise Refused("Say with rep_id who pulls it.")
        return await commanding.pull(
            tx,
            handoff_id,
            token=token_seen(request),
            actor=actor_of(principal),
            rep_id=rep_id,
            command_id=new_id(),
        )

    return await _command(request, principal, handoff_id, run)


@router.post("/handoffs/{handoff_id}/reassign")
async def reassign(request: Request, principal: Manager, handoff_id: UUID, asked: ReassignAsked) -> Response:
    """A manager gives it to another rep."""

    async def run(tx: Tx) -> Commanded:
        return await commanding.reassign(
            tx,
            handoff_id,
            token=token_seen(request),
            actor=actor_of(principal),
            rep_id=UserId(asked.rep_id),
            command_id=new_id(),
            note=typed("reassign", asked.text),
        )

    return await _command(request, principal, handoff_id, run)


@router.post("/handoffs/{handoff_id}/revoke")
async def revoke(request: Request, principal: Opener, handoff_id: UUID, asked: RevokeAsked | None = None) -> Response:
    """Back to Marketing, before it is accepted."""

    async def run(tx: Tx) -> Commanded:
        reason = asked.reason_code if asked else "by_hand"
        event = inputs.Revoke(token=token_seen(request), actor=actor_of(principal), reason=reason)
        return await commanding.act(tx, handoff_id, event, command_id=new_id())

    return await _command(request, principal, handoff_id, run)


@router.post("/handoffs/{handoff_id}/enrol")
async def enrol(request: Request, principal: Opener, handoff_id: UUID, asked: EnrolAsked | None = None) -> Response:
    """Marketing put the lead into a nurture programme."""

    async def run(tx: Tx) -> Commanded:
        programme = asked.programme if asked else None
        event = inputs.Enrol(token=token_seen(request), actor=actor_of(principal), programme=programme)
        return await commanding.act(tx, handoff_id, event, command_id=new_id())

    return await _command(request, principal, handoff_id, run)


@router.post("/handoffs", status_code=201)
async def open_by_hand(request: Request, principal: Opener, asked: OpenAsked) -> Response:
    """Open a handoff by hand, or attach to the open one."""

    async def run(tx: Tx) -> Answer:
        rep_id = None if asked.rep_id is None else UserId(asked.rep_id)
        held, work = await commanding.open_by_hand(
            tx,
            OpenByHand(
                lead_id=LeadId(asked.lead_id),
                product=asked.product,
                actor=actor_of(principal),
                is_hand_raiser=asked.is_hand_raiser,
                rep_id=rep_id,
                note=typed("open", asked.text),
            ),
            command_id=new_id(),
        )
        if held is None:
            raise refusal(work.to_write.audit[-1]["why"] if work.to_write.audit else "no_consent")
        value = handoff_value(held.handoff, held.times, held.clocks.values())
        return Answer(201, value, {"etag": value["etag"], "location": f"/v1/handoffs/{held.handoff.id}"})

    return await command(request, database_of(request), principal, run)


async def _by_owner(
    request: Request,
    principal: Principal,
    handoff_id: UUID,
    asked: Empty | None,
    made: Callable[[Tx, UserId], inputs.Input],
    *,
    note: TypedNote | None = None,
) -> Response:
    """A command that only the owner may give: the input that is made for it."""

    async def run(tx: Tx) -> Commanded:
        by = await _rep(tx, principal, asked, handoff_id)
        return await commanding.act(tx, handoff_id, made(tx, by), command_id=new_id(), note=note)

    return await _command(request, principal, handoff_id, run)


async def _command(
    request: Request, principal: Principal, handoff_id: UUID, run: Callable[[Tx], Awaitable[Commanded]]
) -> Response:
    token_seen(request)  # a missing or malformed If-Match is no command: nothing is kept under its key

    async def answered(tx: Tx) -> Answer:
        await check_in_view(tx, principal, handoff_id)
        return answer_of(await run(tx))

    return await command(request, database_of(request), principal, answered)


async def _rep(tx: Tx, principal: Principal, asked: Empty | None, handoff_id: UUID) -> UserId:
    """The rep a command speaks for; of a key that names none, the owner."""
    owner = await handoffs.owner_of(tx, handoff_id)
    rep_id = rep_of(principal, asked.rep_id if asked else None, owner)
    if rep_id is None:
        raise refusal("not_owner")
    return rep_id
