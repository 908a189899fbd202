"""The front door: bytes of senders in, one record on `baton.deliveries` out, and only then an answer.

Raw ASGI, mounted in front of the FastAPI app; whatever path it does not know goes there untouched. It needs neither
PostgreSQL nor a healthy Kafka to say something true. Order of work: bounds, source, handshake, verify, outline, keep,
answer (SENDERS section 1). Invariants: 2xx only after the acknowledgement; bad input never makes a 5xx.
"""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest.adapters import COLLECTING
from services.ingest.collector import collection, libraries, webhooks
from services.ingest.collector.answers import Refused, Response, problem
from services.ingest.collector.cors import VARY, Header, cors_headers
from services.ingest.collector.desk import Desk, DoorRates
from services.ingest.collector.directory import SourceDirectory
from services.ingest.collector.directory_copy import DirectoryCopy
from services.ingest.collector.drain import Drain
from services.ingest.collector.keep import Keeper
from services.ingest.collector.lane import Lane
from services.ingest.collector.rates import Rates
from services.ingest.collector.spool import Spool
from services.ingest.collector.wire import InFlight, headers_of, linger
from shared import clock
from shared.errors import Busy, TooLarge
from shared.telemetry import announce, count, is_watched

__all__ = [
    "Collector",
    "Desk",
    "DirectoryCopy",
    "DoorRates",
    "Drain",
    "InFlight",
    "Keeper",
    "Lane",
    "Rates",
    "SourceDirectory",
    "Spool",
]

_WEBHOOK_RATE: Final = b"120"  # a minute, told to CloudEvents senders that ask


class Collector:
    """The ASGI app of the door; `app` answers what is not the door's."""

    def __init__(self, app: ASGIApp, *, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the door's own paths, hand on the others."""
        methods = _methods(scope["path"]) if scope["type"] == "http" else ()
        if not methods:
            await self._app(scope, receive, send)
            return
        origin = ""
        try:
            _check_method(scope["method"], methods)
            headers = headers_of(scope)
            origin = headers.get("origin", "")
            response = await self._answer(scope, receive, headers)
        except Refused as error:
            count("baton_refused_total", slug=error.problem)
            response = problem(error)
        except Busy as error:
            response = problem(Refused(error.status, error.problem, error.detail, retry_after=error.retry_after))
        except TooLarge as error:
            count("baton_refused_total", slug=error.problem)
            response = problem(Refused(error.status, error.problem, error.detail))
        added: tuple[Header, ...] = (VARY,) if scope["method"] == "GET" else ()
        if origin and self._desk.directory.is_listed(origin):
            added = cors_headers(origin, scope["path"], is_preflight=scope["method"] == "OPTIONS")
        if is_watched():
            await announce("accept:before_reply")
        await _send(send, receive, response, added)

    async def _answer(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
        path, method = scope["path"], scope["method"]
        if method == "OPTIONS":
            return self._options(path, headers)
        if path in COLLECTING:
            return await collection.collect(self._desk, scope, receive, headers)
        if path.startswith(webhooks.START):
            return await webhooks.take_webhook(self._desk, scope, receive, headers)
        return await libraries.answer(self._desk, scope, receive, headers)

    def _options(self, path: str, headers: Mapping[str, str]) -> Response:
        """A preflight of a listed origin, or the question of a CloudEvents sender whether it may deliver."""
        directory = self._desk.directory
        asked = headers.get("webhook-request-origin")
        if path == "/v1/events" and asked is not None:
            if not directory.is_listed(asked) and not directory.is_listed(f"https://{asked}"):
                raise Refused(403, "origin_not_listed", "Register this origin on a source first.")
            allowed = (b"webhook-allowed-origin", asked.encode("latin-1"))
            return Response(200, headers=(allowed, (b"webhook-allowed-rate", _WEBHOOK_RATE)))
        if not directory.is_listed(headers.get("origin", "")):
            if not directory.is_fresh(clock.monotonic()):
                raise self._desk.unproven("Add this origin to the source.")
            raise Refused(403, "origin_not_listed", "Add this origin to the source.")
        return Response(204)


def _methods(path: str) -> tuple[str, ...]:
    """What the door takes at a path beside OPTIONS; () for a path that is not its own."""
    takers = COLLECTING.get(path)
    if takers is not None:
        return (takers[0].PATHS[path],)
    return webhooks.METHODS if path.startswith(webhooks.START) else libraries.methods(path)


def _check_method(method: str, methods: tuple[str, ...]) -> None:
    """Raise Refused 405 for a method that the path does not take."""
    if method not in methods and method != "OPTIONS":
        detail = f"Nothing was kept: send {' or '.join(methods)} to this path, not {method}."
        raise Refused(405, "method_not_allowed", detail, allow=", ".join((*methods, "OPTIONS")))


async def _send(send: Send, receive: Receive, response: Response, added: tuple[tuple[bytes, bytes], ...]) -> None:
    length = (b"content-length", str(len(response.body)).encode())
    headers = [*response.headers, length, *added]
    is_cut_off = response.status in {408, 413}
    if is_cut_off:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": is_cut_off})
    if is_cut_off:
        await linger(receive)
        await send({"type": "http.response.body", "body": b""})
