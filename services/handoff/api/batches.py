"""Many commands of a manager or marketer in one request: each item has its own status, as if it had been sent alone."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.handoff.api.seen import actor_of, answer_of, check_in_view
from services.handoff.domain.lifecycle import inputs
from services.handoff.usecases import commanding
from services.handoff.usecases.commanding import Commanded
from shared.db.engine import Tx
from shared.errors import AppError, Forbidden
from shared.ids import UserId, derived_id
from shared.web.app_factory import Asked, database_of
from shared.web.auth import Permission, Principal, requires
from shared.web.idempotency import Answer, command, parse_key
from shared.web.problems import problem_of

__all__ = ["router"]

router = APIRouter(prefix="/v1")
Anybody = Annotated[Principal, Depends(requires("leads:read"))]
ITEMS_MAX = 500  # SENDERS 10
_NEEDS: dict[str, Permission] = {"reassign": "handoffs:manage", "revoke": "handoffs:open", "enrol": "handoffs:open"}


class BatchItem(Asked):
    """One command with the token seen."""

    handoff_id: UUID = Field(strict=False, description="which handoff")
    command: Literal["reassign", "revoke", "enrol"] = Field(description="what to do")
    token: int = Field(ge=1, description="the token seen")
    rep_id: UUID | None = Field(None, strict=False, description="of reassign: who gets it")
    reason_code: str = Field("by_hand", max_length=100, description="of revoke: why")


class BatchAsked(Asked):
    """Up to 500 commands, done in this order."""

    items: list[BatchItem] = Field(min_length=1, max_length=ITEMS_MAX, description="the commands")


@router.post("/handoffs/batch")
async def run_batch(request: Request, principal: Anybody, asked: BatchAsked) -> Response:
    """Do each command in a savepoint of its own; the answers come in the order of the items."""
    key = parse_key(request.headers.get("idempotency-key"))

    async def run(tx: Tx) -> Answer:
        await commanding.lock_all(tx, [item.handoff_id for item in asked.items])
        answers = []
        for index, item in enumerate(asked.items):
            answers.append(await _one(tx, principal, item, command_id=derived_id("batch", principal.id, key, index)))
        return Answer(200, {"items": answers})

    return await command(request, database_of(request), principal, run)


async def _one(tx: Tx, principal: Principal, item: BatchItem, *, command_id: UUID) -> dict[str, Any]:
    pending = len(tx.pending)
    try:
        async with tx.connection.begin_nested():
            if not principal.may(_NEEDS[item.command]):
                raise Forbidden(f"This needs the permission {_NEEDS[item.command]}.")
            await check_in_view(tx, principal, item.handoff_id)
            answer = answer_of(await _run(tx, principal, item, command_id))
    except AppError as error:
        del tx.pending[pending:]
        body, _ = problem_of(error)
        return {"handoff_id": str(item.handoff_id), "status": error.status, "body": body}
    return {"handoff_id": str(item.handoff_id), "status": answer.status, "body": answer.body}


async def _run(tx: Tx, principal: Principal, item: BatchItem, command_id: UUID) -> Commanded:
    actor = actor_of(principal)
    if item.command == "reassign":
        rep_id = UserId(item.rep_id or item.handoff_id)  # an unknown rep is refused by name below
        return await commanding.reassign(
            tx, item.handoff_id, token=item.token, actor=actor, rep_id=rep_id, command_id=command_id
        )
    event: inputs.Input
    if item.command == "revoke":
        event = inputs.Revoke(token=item.token, actor=actor, reason=item.reason_code)
    else:
        event = inputs.Enrol(token=item.token, actor=actor)
    return await commanding.act(tx, item.handoff_id, event, command_id=command_id)
