"""Makes the FastAPI app of a service: errors as problem+json, a Request-Id on every answer, body bounds, strict models.

A route without a declared permission makes the app refuse to be built. Plain ASGI middleware only (RELIABILITY 2).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from shared.clock import monotonic
from shared.config import ServiceSettings
from shared.db.engine import Database, is_transient, is_unstorable
from shared.errors import AppError, Busy, Refused
from shared.ids import new_id
from shared.telemetry import count, log, observe
from shared.web.auth import Authenticate, Permission, permission_of
from shared.web.problems import PROBLEM_JSON, problem_of, problem_response

__all__ = [
    "BODY_BYTES",
    "Answered",
    "Asked",
    "DatabaseOf",
    "create_app",
    "database_of",
    "permissions_of_route",
    "routes_of",
]

BODY_BYTES = 64 * 1024  # the CRM API's bound (SECURITY 2); a router of imports raises its own by max_body_size
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Asked(BaseModel):
    """Base of request models: strict numbers, an unknown field is a 422.

    Mark times, ids and enums `Field(strict=False)`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", frozen=True)


class Answered(BaseModel):
    """Base of response models."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)


def create_app(
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    *,
    authenticate: Authenticate,
    state: Mapping[str, Any] | None = None,
    body_bytes: int = BODY_BYTES,
    title: str | None = None,
) -> FastAPI:
    """The app of one port. state becomes app.state attributes (databases, clients) for the routers' dependencies.

    Raises ValueError when a route declares no permission. Serve it with `framed(app)`; the runtime does.
    """
    for router in routers:
        for route in routes_of(router):
            if not permissions_of_route(route):
                raise ValueError(
                    f"Declare a permission with requires(...) on {sorted(route.methods or ())} {route.path}."
                )
    app = _FramedApp(
        title=title or f"Baton {settings.service}",
        version="1",
        docs_url=None,
        redoc_url=None,
        max_body_size=body_bytes,
        telemetry={"auto_configure": False, "operation_spans": False, "logs": False},
        responses={400: {"description": "The request cannot be read (problem+json)"}},
    )
    for name, value in {"settings": settings, "authenticate": authenticate, **(state or {})}.items():
        setattr(app.state, name, value)
    for router in routers:
        app.include_router(router)
    app.add_middleware(_CatchAll)
    for kind in (AppError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer_problem)
    return app


def database_of(request: Request) -> Database:
    """The pool the app was made with: `state["database"]`."""
    database: Database = request.app.state.database
    return database


DatabaseOf = Annotated[Database, Depends(database_of)]


def routes_of(router: APIRouter) -> Iterator[APIRoute]:
    """All API routes of a router, those of included routers too."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner)


def permissions_of_route(route: APIRoute) -> list[Permission]:
    """The permissions a route declares through its dependencies."""

    def walk(dependant: Dependant) -> Iterator[Permission]:
        declared = permission_of(dependant.call)
        if declared is not None:
            yield declared
        for inner in dependant.dependencies:
            yield from walk(inner)

    return list(walk(route.dependant))


async def _answer_problem(request: Request, error: Exception) -> Response:
    body, headers = problem_of(error)
    return problem_response(body, instance=request.url.path, headers=headers)


class _FramedApp(FastAPI):
    """FastAPI with the frame outermost: the body bound answers before any middleware of an app would."""

    @override
    def build_middleware_stack(self) -> ASGIApp:
        return RequestFrame(super().build_middleware_stack())


class RequestFrame:
    """Round every request: Request-Id in and out, correlation in the logs, one metric.

    And a last answer for what nobody caught.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = monotonic(), 0

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not _is_problem(message):
                    raise _TooLargeAnswered
                message = {**message, "headers": [*message.get("headers", ()), (b"request-id", request_id.encode())]}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_framed)
            except _TooLargeAnswered:
                body, headers = problem_of(HTTPException(status))
                await problem_response(body, instance=scope["path"], headers=headers)(scope, receive, send_framed)
        count("baton_http_requests_total", status=f"{status // 100}xx")
        observe("baton_http_seconds", monotonic() - started)


class _CatchAll:
    """Inside everything else: answers what nobody caught, unless the answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noting)
        except _TooLargeAnswered:
            raise
        except Exception as error:
            body, headers = _problem_of_ours(error, scope)
            if has_begun:  # the server must cut the connection
                raise
            await problem_response(body, instance=scope["path"], headers=headers)(scope, receive, send)


class _TooLargeAnswered(Exception):
    """The framework was about to answer 413 in its own words."""


def _is_problem(message: Message) -> bool:
    return any(value.startswith(PROBLEM_JSON.encode()) for name, value in message["headers"] if name == b"content-type")


def _problem_of_ours(error: Exception, scope: Scope) -> tuple[dict[str, Any], dict[str, str]]:
    """What nobody caught: the database is away (the same request later is right), or a defect."""
    if is_transient(error):
        log.warning("request_waits", path=scope["path"], reason=type(error).__name__)
        return problem_of(Busy("A part this needs is away for the moment; send the same request again."))
    if is_unstorable(error):
        return problem_of(Refused("A text holds the character NUL (U+0000). Leave it out and send it again."))
    log.exception("request_failed", path=scope["path"])
    return problem_of(error)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return str(new_id())
