"""How errors look to people: a page for a page, a fragment's place for htmx, problem+json for everybody else."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from services.console.pages.rendering import draw
from services.console.pages.visit import Visit, frame
from services.console.usecases.prove import SAFE_METHODS
from shared.db.engine import reading
from shared.errors import AppError, Unauthorised
from shared.web.problems import problem_of, problem_response

__all__ = ["add_problem_pages"]

_JSON_PLACES = ("/v1/", "/internal/", "/stream", "/static/")
_NO_PAGE = "There is no page at this address. From the console's start every page is one click away."


def add_problem_pages(app: FastAPI) -> None:
    """Answer errors of pages with pages; the routes of machines keep their problem+json."""
    for kind in (AppError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


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
    if is_fragment:
        return HTMLResponse(draw("parts/problem.html", None, problem=body), status_code=body["status"], headers=headers)
    session = getattr(request.state, "session", None)
    if session is None:
        page = draw("pages/stranger.html", None, problem=body)
        return HTMLResponse(page, status_code=body["status"], headers=headers)
    state = request.app.state
    visit = Visit(
        request, session, request.state.principal, state.settings, state.database, state.owners, state.profiles
    )
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    page = draw("pages/problem.html", drawing, problem=body, page_title=body["title"], page_name="")
    return HTMLResponse(page, status_code=body["status"], headers=headers)


def _to_the_door(request: Request, *, is_fragment: bool) -> Response:
    """Who is not signed in signs in first and comes back to where a GET was asked."""
    target = request.url.path if request.method in SAFE_METHODS and not is_fragment else "/"
    address = f"/login?to={target}"
    if is_fragment:
        return Response(status_code=401, headers={"hx-redirect": address})
    return RedirectResponse(address, status_code=303)
