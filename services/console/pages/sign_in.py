"""Signing in and out. The session's token is new at every sign-in and lives in a cookie no script can read."""

import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.console.domain.rights import Role, home_of
from services.console.pages.rendering import draw
from services.console.pages.visit import Visiting
from services.console.settings import Settings
from services.console.usecases.people import end_session, sign_in, token_hash
from services.console.usecases.prove import Prover, address_of, check_origin
from shared.db.engine import transaction
from shared.errors import Forbidden, RateLimited
from shared.ids import secret_token
from shared.web.auth import requires

__all__ = ["router"]

router = APIRouter()

_PUBLIC = Depends(requires("public"))
_DOOR_COOKIE = "baton_door"
_DOOR_SECONDS = 3_600


@router.get("/", dependencies=[_PUBLIC])
async def start(request: Request) -> Response:
    """The page a role starts on, or the door."""
    prover: Prover = request.app.state.authenticate
    session = await prover.session(request)
    return RedirectResponse(home_of(Role(session.user.role)) if session else "/login", status_code=303)


@router.get("/login", dependencies=[_PUBLIC])
async def show_door(request: Request, to: str = "/") -> Response:
    """The sign-in page; who is signed in already goes on."""
    prover: Prover = request.app.state.authenticate
    if await prover.session(request) is not None:
        return RedirectResponse(_own_path(to), status_code=303)
    return _door(request, to=_own_path(to))


@router.post("/login", dependencies=[_PUBLIC])
async def enter(
    request: Request,
    user_name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    csrf: Annotated[str, Form()] = "",
    to: Annotated[str, Form()] = "/",
) -> Response:
    """Prove name and password; a new session begins."""
    check_origin(request)
    if not hmac.compare_digest(csrf.encode(), request.cookies.get(_DOOR_COOKIE, "").encode()) or not csrf:
        words = "This page was open for too long. Try again."
        return _door(request, to=to, error=words, user_name=user_name, status=403)
    if not user_name.strip() or not password:
        return _door(request, to=to, error="Enter user name and password.", user_name=user_name, status=422)
    settings: Settings = request.app.state.settings
    if not settings.is_local_login_on:
        raise Forbidden("Signing in with a password is switched off here.")
    database = request.app.state.database
    try:
        entered = await sign_in(database, user_name=user_name, password=password, address=address_of(request))
    except RateLimited as error:
        wrong = _door(request, to=to, error=error.detail, user_name=user_name, status=429)
        wrong.headers["retry-after"] = str(error.retry_after)
        return wrong
    if entered is None:
        words = "User name and password do not fit. Try again."
        return _door(request, to=to, error=words, user_name=user_name, status=401)
    token, user = entered
    before = request.cookies.get(settings.session_cookie)
    if before:  # nobody goes on in the session that this browser brought
        async with transaction(database, "command") as tx:
            await end_session(tx, token_hash(before))
    target = _own_path(to)
    response = RedirectResponse(home_of(Role(user.role)) if target == "/" else target, status_code=303)
    response.set_cookie(
        settings.session_cookie,
        token,
        max_age=settings.session_days_max * 86_400,
        httponly=True,
        secure=settings.is_cookie_secure,
        samesite="lax",
        path="/",
    )
    response.delete_cookie(_DOOR_COOKIE)
    return response


@router.post("/logout")
async def leave(visit: Visiting) -> Response:
    """End the session."""
    async with transaction(visit.database, "command") as tx:
        await end_session(tx, visit.session.token_sha256)
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(visit.settings.session_cookie, secure=visit.settings.is_cookie_secure, httponly=True)
    return response


def _door(request: Request, *, to: str, error: str = "", user_name: str = "", status: int = 200) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    csrf = request.cookies.get(_DOOR_COOKIE) or secret_token()
    page = draw("pages/login.html", None, csrf=csrf, to=to, error=error, user_name=user_name)
    response = HTMLResponse(page, status_code=status)
    response.set_cookie(
        _DOOR_COOKIE,
        csrf,
        max_age=_DOOR_SECONDS,
        httponly=True,
        secure=settings.is_cookie_secure,
        samesite="lax",
        path="/login",
    )
    return response


def _own_path(to: str) -> str:
    """A path of ours to go on to; anything else (another host, a backslash) is the start."""
    parts = urlsplit(to)
    is_ours = to.startswith("/") and not to.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return to if is_ours and "\\" not in to else "/"
