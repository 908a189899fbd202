"""Proves who calls the console: an API key, another service's token, or a session's cookie with its CSRF rules.

GET changes nothing. Every other method with a session needs an Origin of this host and the session's CSRF token; a key
or a service token is no cookie and needs neither.
"""

import hmac
from urllib.parse import urlsplit

from fastapi import Request

from services.console.settings import Settings
from services.console.usecases.people import Session, prove_key, prove_session
from shared.db.engine import Database
from shared.errors import Forbidden, Unauthorised
from shared.web.auth import Principal, ServiceTokens, bearer

__all__ = ["SAFE_METHODS", "Prover", "address_of", "check_origin", "principal_of"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_KEY_START = "bt_"
_CSRF_HEADER = "x-csrf-token"
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class Prover:
    """The console's `authenticate`: who a request is from, or None."""

    def __init__(self, settings: Settings, database: Database, tokens: ServiceTokens) -> None:
        self._settings = settings
        self._database = database
        self._tokens = tokens

    async def __call__(self, request: Request) -> Principal | None:
        """The principal of a request; its session, if one proved it, is left in `request.state.session`."""
        token = bearer(request)
        if token is not None and token.startswith(_KEY_START):
            key = await prove_key(self._database, token, address=address_of(request))
            if key is None:
                raise Unauthorised("This API key is unknown, expired or revoked.")
            return Principal(kind="key", id=key.key_id, scopes=frozenset(key.scopes))
        if token is not None:
            return self._tokens.check(token)
        session = await self.session(request)
        if session is None:
            return None
        if request.method not in SAFE_METHODS:
            check_origin(request)
            await _check_csrf(request, session)
        request.state.session = session
        return principal_of(session)

    async def session(self, request: Request) -> Session | None:
        """The live session of the request's cookie, or None."""
        cookie = request.cookies.get(self._settings.session_cookie)
        if not cookie:
            return None
        return await prove_session(
            self._database,
            cookie,
            idle_hours=self._settings.session_idle_hours,
            days_max=self._settings.session_days_max,
        )


def principal_of(session: Session) -> Principal:
    """The user of a session as the services know callers."""
    user = session.user
    return Principal(kind="user", id=str(user.user_id), role=user.role, team_id=user.team_id)  # type: ignore[arg-type]  # the table's check holds the role to the five


def address_of(request: Request) -> str:
    """The caller's network address, for counting guesses."""
    return request.client.host if request.client else "unknown"


def check_origin(request: Request) -> None:
    """Raise Forbidden unless the browser says that the request comes from a page of this host."""
    origin = request.headers.get("origin") or request.headers.get("referer")
    host = request.headers.get("host", "")
    if not origin or urlsplit(origin).netloc != host:
        raise Forbidden("This request does not come from the console's own pages.")


async def _check_csrf(request: Request, session: Session) -> None:
    sent = request.headers.get(_CSRF_HEADER)
    if sent is None and request.headers.get("content-type", "").startswith(_FORM_TYPES):
        sent = str((await request.form()).get("csrf", ""))
    if not hmac.compare_digest((sent or "").encode(), session.csrf.encode()):
        raise Forbidden("The page is too old for this: load it again.")
