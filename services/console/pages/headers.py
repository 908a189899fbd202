"""Security headers on every answer of the console's public port (SECURITY section 6)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        is_static = scope["path"].startswith("/static/")
        kept = (
            _YEAR
            if is_static and b"v=" in scope.get("query_string", b"")
            else b"no-cache"
            if is_static
            else b"no-store"
        )

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [pair for pair in message.get("headers", ()) if pair[0] != b"cache-control"]
                message = {**message, "headers": [*given, *_HEADERS, (b"cache-control", kept)]}
            await send(message)

        await self.app(scope, receive, send_guarded)
