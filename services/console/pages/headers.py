"""Security headers on every answer of the console's public port (SECURITY section 6)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.pages.rendering import static_version

__all__ = ["POLICY", "SecurityHeaders"]

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),  # browsers heed it over https only
)
_FOUND = frozenset({200, 206, 304})
_YEAR = b"public, max-age=31536000, immutable"


class SecurityHeaders:
    """Plain ASGI middleware. Pages are never kept by caches; a static file asked with its hash is kept for a year."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, with our headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [pair for pair in message.get("headers", ()) if pair[0] != b"cache-control"]
                kept = _kept(scope, message["status"])
                message = {**message, "headers": [*given, *_HEADERS, (b"cache-control", kept)]}
            await send(message)

        await self.app(scope, receive, send_guarded)


def _kept(scope: Scope, status: int) -> bytes:
    """How long caches keep an answer: a file only under the hash of what it holds, else a year would keep an error."""
    name = scope["path"].removeprefix("/static/")
    if name == scope["path"]:
        return b"no-store"
    is_named = status in _FOUND and scope.get("query_string", b"").decode("latin-1") == static_version(name)
    return _YEAR if is_named else b"no-cache"
