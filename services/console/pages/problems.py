"""How errors look to people: a page for a page, a fragment's place for htmx, problem+json for everybody else.

What breaks below the handlers (the database is away, a defect) comes out of the frame as
problem+json; `PageErrors` shows it to people as a page that needs nothing of what broke.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.pages.rendering import draw
from services.console.pages.visit import Visit, frame
from services.console.usecases.prove import SAFE_METHODS
from shared.db.engine import reading
from shared.errors import AppError, Unauthorised
from shared.web.problems import problem_of, problem_response

__all__ = ["PageErrors", "add_problem_pages"]

_JSON_PLACES = ("/v1/", "/internal/", "/stream", "/static/")
_NO_PAGE = "There is no page at this address. From the console's start every page is one click away."


def add_problem_pages(app: FastAPI) -> None:
    """Answer errors of pages with pages; the routes of machines keep their problem+json."""
    for kind in (AppError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)
    app.add_middleware(PageErrors)


class PageErrors:
    """Plain ASGI middleware: a problem+json answer under a page's address becomes a page, or a fragment for htmx."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, but problems of pages in words for people."""
        if scope["type"] != "http" or scope["path"].startswith(_JSON_PLACES):
            await self.app(scope, receive, send)
            return
        held: Message | None = None
        content = b""

        async def send_shown(message: Message) -> None:
            nonlocal held, content
            if message["type"] == "http.response.start" and _is_problem(message):
                held = message
            elif held is None:
                await send(message)
            else:
                content += message.get("body", b"")
                if not message.get("more_body", False):
                    await _shown(Request(scope), held, content)(scope, receive, send)

        await self.app(scope, receive, send_shown)


def _is_problem(message: Message) -> bool:
    return any(name == b"content-type" and value == b"application/problem+json" for name, value in message["headers"])


def _shown(request: Request, start: Message, content: bytes) -> Response:
    dropped = {b"content-type", b"content-length"}
    kept = {name.decode(): value.decode() for name, value in start["headers"] if name not in dropped}
    return _page_of(request, orjson.loads(content), headers=kept)


def _page_of(request: Request, problem: dict[str, Any], *, headers: dict[str, str]) -> HTMLResponse:
    """A problem as a page or fragment that needs neither session nor database."""
    is_ours = problem["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR
    reference = getattr(request.state, "request_id", "") if is_ours else ""
    part = "parts/problem.html" if request.headers.get("hx-request") == "true" else "pages/stranger.html"
    page = draw(part, None, problem=problem, reference=reference)
    return HTMLResponse(page, status_code=problem["status"], headers=headers)


async def _answer(request: Request, error: Exception) -> Response:
    body, headers = problem_of(error)
    is_page = not request.url.path.startswith(_JSON_PLACES)
    if not is_page:
        return problem_response(body, instance=request.url.path, headers=headers)
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        body = {**body, "title": "Not found", "detail": _NO_PAGE}
    is_fragment = request.headers.get("hx-request") == "true"
    if isinstance(error, Unauthorised):
        return _to_the_door(request, is_fragment=is_fragment)
    session = getattr(request.state, "session", None)
    if is_fragment or session is None:
        return _page_of(request, body, headers=headers)
    state = request.app.state
    visit = Visit(
        request, session, request.state.principal, state.settings, state.database, state.owners, state.profiles
    )
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    page = draw("pages/problem.html", drawing, problem=body, page_title=_heading(body["status"]), page_name="")
    return HTMLResponse(page, status_code=body["status"], headers=headers)


def _heading(status: int) -> str:
    return {HTTPStatus.FORBIDDEN: "No access", HTTPStatus.NOT_FOUND: "Nothing here"}.get(
        HTTPStatus(status), "That did not work"
    )


def _to_the_door(request: Request, *, is_fragment: bool) -> Response:
    """Who is not signed in signs in first and comes back to where a GET was asked."""
    is_page = request.method in SAFE_METHODS and not is_fragment
    target = f"{request.url.path}?{request.url.query}".rstrip("?") if is_page else "/"
    address = f"/login?to={quote(target)}"
    if is_fragment:
        return Response(status_code=401, headers={"hx-redirect": address})
    return RedirectResponse(address, status_code=303)
