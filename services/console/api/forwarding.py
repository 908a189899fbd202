"""All other `/v1` routes: proven here, carried to their owner, answered unchanged. The owner's policy decides."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.console.commands.forward import BODY_BYTES_MAX, answer_headers, forward
from services.console.usecases.narrow import check_person, is_narrowed, only_seen
from shared.db.engine import reading
from shared.web.app_factory import database_of
from shared.web.auth import Principal, requires

__all__ = ["router"]

router = APIRouter(max_body_size=BODY_BYTES_MAX)

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@router.api_route("/v1/{path:path}", methods=_METHODS, include_in_schema=False)
async def forward_route(
    request: Request, path: str, principal: Annotated[Principal, Depends(requires("any"))]
) -> Response:
    """Forward one request to its owner; reps and managers read the people in their view."""
    async with reading(database_of(request)) as tx:
        await check_person(tx, principal, path)
    answer = await forward(
        request.app.state.owners,
        request.method,
        path,
        query=request.url.query,
        headers=request.headers,
        content=await request.body(),
        principal=principal,
    )
    content = answer.content
    if content and answer.is_success and is_narrowed(principal, path):
        async with reading(database_of(request)) as tx:
            content = await only_seen(tx, principal, content)
    return Response(content, status_code=answer.status_code, headers=answer_headers(answer))
