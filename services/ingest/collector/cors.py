"""What browsers are told of other origins: the origin echoed when a source lists it, never `*`.

Cookies are allowed only where a browser library insists on sending them (SENDERS section 6). `x-retry-count` and
`x-ip-policy` are sent by libraries when they try again or are told to hide addresses: without them a retry would not
get past the preflight, and what it carries would be lost.
"""

from typing import Final

from services.ingest.adapters import COLLECTING

__all__ = ["VARY", "Header", "cors_headers"]

Header = tuple[bytes, bytes]
VARY: Final[Header] = (b"vary", b"Origin")
"""On every answer that may be cached: a copy without the origin would stop the library of another page."""
_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, x-write-key, anonymousid, sentat, x-retry-count, x-ip-policy",
    ),
    (b"access-control-max-age", b"7200"),
)
_WITH_COOKIES: Final = frozenset(path for path, takers in COLLECTING.items() if takers[0].HAS_CREDENTIALS)


def cors_headers(origin: str, path: str, *, is_preflight: bool) -> tuple[Header, ...]:
    """The headers for a listed origin on an answer of this path."""
    headers: tuple[Header, ...] = ((b"access-control-allow-origin", origin.encode("latin-1")), VARY)
    if path in _WITH_COOKIES:
        headers += ((b"access-control-allow-credentials", b"true"),)
    return headers + _PREFLIGHT if is_preflight else headers
