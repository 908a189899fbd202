"""Decides what may be fetched from a sender that sends ids only, when it is tried again, and how an answer comes back.

Pure: bytes are fetched elsewhere, behind the address guard. Invariant: a URL is fetched only when it begins with the
base that the source is configured with, so nothing in a body chooses a host (SENDERS section 7).
"""

import re
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from services.ingest.domain.source import SourceSettings

__all__ = [
    "ASK_PATH",
    "TRIES_MAX",
    "answer_path",
    "answered",
    "api_base",
    "asked",
    "is_worth_a_retry",
    "next_try_at",
    "rebased",
]

ASK_PATH: Final = "/fetch/"
"""Paths of deliveries that we make ourselves, which no request from outside can have: ask (again), and the answer."""
_ANSWER_PATH: Final = "/fetched/"
_BASE: Final = re.compile(r"https?://[a-z0-9.-]{1,253}(?::[0-9]{1,5})?", re.ASCII)
_DELAYS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600)
)
TRIES_MAX: Final = len(_DELAYS) + 1  # over 16 hours: an API that is down for a night loses no lead
_PASSING: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT}
    | {HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""4xx worth another try: a token that is being mended, a lead that is not there yet, a limit."""


def api_base(settings: SourceSettings, *, default: str) -> str:
    """Scheme and host of the sender's API: the source's option `api_url`, else the sender's own. Never ends in `/`."""
    said = settings.options.get("api_url", "").strip().lower().rstrip("/")
    return said if _BASE.fullmatch(said) else default


def rebased(url: str, base: str) -> str:
    """The same question to another base: what stands behind scheme and host of the old one."""
    path = url.partition("://")[2].partition("/")[2]
    return f"{base}/{path}"


def answer_path(what: str) -> str:
    """The path under which the answer to a question is a delivery."""
    return f"{_ANSWER_PATH}{what}"


def answered(path: str) -> str | None:
    """What a delivery answers, or None when it comes from outside."""
    return path.removeprefix(_ANSWER_PATH) if path.startswith(_ANSWER_PATH) else None


def asked(path: str) -> str | None:
    """What a delivery asks to be fetched, or None."""
    return path.removeprefix(ASK_PATH) if path.startswith(ASK_PATH) else None


def is_worth_a_retry(status: int) -> bool:
    """Whether another try may end otherwise: any status but a success and a refusal for good."""
    return not 400 <= status < 500 or status in _PASSING


def next_try_at(tries: int, now: datetime) -> datetime | None:
    """When to try again after so many tries (1 or more), or None after the last."""
    return now + _DELAYS[tries - 1] if tries < TRIES_MAX else None
