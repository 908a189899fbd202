"""Renders every error as application/problem+json: ours, FastAPI's, Starlette's, and the unexpected one.

No stack, no SQL, no input value ever leaves: the detail says what to do next (SENDERS 10).
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from shared.errors import AppError, Busy, FieldError, RateLimited, Stale, StillRunning

__all__ = ["PROBLEM_JSON", "problem_body", "problem_of", "problem_response"]

PROBLEM_JSON = "application/problem+json"
_HTTP: Mapping[int, tuple[str, str]] = {
    400: ("unreadable", "Send a body and headers the document of this route describes."),
    404: ("not_found", "There is no such path; see the OpenAPI document of this service."),
    405: ("method_not_allowed", "Use one of the methods in the Allow header."),
    413: ("too_large", "Send less at once; the bound of this route is in its document."),
    415: ("unsupported_media", "Send application/json."),
}
_ERRORS_MOST = 50  # one 64 KiB body can be wrong in thousands of places


def problem_body(
    *,
    status: int,
    slug: str,
    title: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The members of one problem; more are extension members (the current state of a stale command)."""
    body: dict[str, Any] = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = [
            {"pointer": error.pointer, "code": error.code, "message": error.message} for error in errors[:_ERRORS_MOST]
        ]
    return body | dict(more or {})


def problem_response(body: Mapping[str, Any], *, instance: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer of one problem."""
    content = orjson.dumps({**body, "instance": instance})
    return Response(content, status_code=body["status"], headers=dict(headers or {}), media_type=PROBLEM_JSON)


def problem_of(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """The problem's members and headers of any exception.

    An unexpected one is a 500 that says nothing about its inside.
    """
    if isinstance(error, AppError):
        more = {"current": error.current} if isinstance(error, Stale) and error.current else None
        body = problem_body(
            status=error.status,
            slug=error.problem,
            title=error.title,
            detail=error.detail,
            errors=error.errors,
            more=more,
        )
        return body, _retry_after(error)
    if isinstance(error, RequestValidationError):
        return _validation(error), {}
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        slug, detail = _HTTP.get(error.status_code, (phrase.lower().replace(" ", "_"), str(error.detail)))
        return problem_body(status=error.status_code, slug=slug, title=phrase, detail=detail), dict(error.headers or {})
    detail = "This is our fault and was written down under this Request-Id. The same request may be sent again."
    return problem_body(status=500, slug="unexpected", title="Something broke here", detail=detail), {}


def _retry_after(error: AppError) -> dict[str, str]:
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, Busy | RateLimited | StillRunning) else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return headers


def _validation(error: RequestValidationError) -> dict[str, Any]:
    listed = error.errors()
    if any(one["type"] in {"json_invalid", "missing_body"} for one in listed):
        return problem_body(
            status=400, slug="unreadable", title="The request cannot be read", detail="Send well-formed JSON."
        )
    fields = [FieldError(_pointer(one["loc"]), str(one["type"]), str(one["msg"])) for one in listed]
    detail = "Correct the fields listed in errors and send it again."
    return problem_body(status=422, slug="invalid", title="Some fields are wrong", detail=detail, errors=fields)


def _pointer(location: Sequence[int | str]) -> str:
    place, *path = location
    if place == "body":
        return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    return f"{place}:" + "/".join(map(str, path))
