"""What both kinds of paths (collection, webhooks) share: who proved himself, how fast, how a request is kept."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Scope

from services.ingest.adapters import Adapter, Outline, plain_request
from services.ingest.collector.answers import Refused
from services.ingest.collector.aside import aside
from services.ingest.collector.certificates import Certificates
from services.ingest.collector.directory import Proof, SourceDirectory
from services.ingest.collector.keep import Keeper
from services.ingest.collector.lane import seconds_to_wait
from services.ingest.collector.once import ShownOnce
from services.ingest.collector.rates import Rates
from services.ingest.collector.wire import InFlight
from shared import clock
from shared.errors import FieldError, TooLarge, Unreadable
from shared.ids import jitter
from shared.senders import InboundRequest

__all__ = ["Desk", "DoorRates", "check_encoding", "outlined", "request_of", "status_of"]

_STALE_FILL: Final = 0.2  # waits as at a spool that is a fifth full: a reading takes longer than a probe
_KEPT_OF_ALL: Final = ("content-encoding",)  # the body is kept as it came
_TOO_LARGE: Final = frozenset({"event_too_large", "text_too_long", "too_many_keys"})


@dataclass(frozen=True, slots=True)
class DoorRates:
    """Requests a second allowed by default; a source's own setting goes before."""

    server_key: int
    browser_key: int
    browser_address: int
    unproven: int = 50
    """Of one client network with nothing that proves them: what nobody vouches for may cost only so much."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of the door that all its paths use."""

    directory: SourceDirectory
    keeper: Keeper
    default_rates: DoorRates
    rates: Rates
    in_flight: InFlight
    public_url: str
    """Our address as senders know it: what stands before the path."""
    certificates: Certificates = field(default_factory=Certificates)
    once: ShownOnce = field(default_factory=ShownOnce)

    def check_unproven(self, who: object) -> None:
        """Raise Refused 429 before anything is read, when too many requests of these proved nothing."""
        self.rates.check("unproven", who, per_second=self.default_rates.unproven)

    def unproven(self, detail: str, *errors: FieldError, who: object = None) -> Refused:
        """401 when we are sure, 503 while the directory is stale: we never say "unknown" while we cannot know.

        who: whose proofs are counted, for `check_unproven`.
        """
        if not self.directory.is_fresh(clock.monotonic()):
            wait = seconds_to_wait(_STALE_FILL, jitter=jitter())
            return Refused(503, "directory_stale", "We cannot check it now; send it again.", retry_after=wait)
        if who is not None:
            self.rates.count("unproven", who)
        return Refused(401, "not_proven", detail, errors=errors)

    def keep(
        self,
        request: InboundRequest,
        proof: Proof,
        *,
        headers: Mapping[str, str],
        network: str | None,
        hint: str | None,
        adapter: Adapter,
    ) -> Awaitable[None]:
        """Write the delivery; await it. Raises Busy when it could not be kept."""
        received_at = clock.now()
        origin = headers.get("origin", "").rstrip("/").lower()
        is_foreign = proof.verified_by == "browser_key" and origin and origin not in proof.source.settings.origins
        kept = {name: headers[name] for name in (*adapter.KEPT_HEADERS, *_KEPT_OF_ALL) if name in headers}
        said: dict[str, object] = {
            "source_id": str(proof.source.id),
            "sender": adapter.SENDER,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": {**kept, "origin": origin} if is_foreign else kept,  # replayed, it is looked up again
            "verified_by": proof.verified_by,
            "secret_id": proof.secret_id,
            "address": network,
            "received_at": received_at,
            "is_gpc": headers.get("sec-gpc") == "1",
            "parked_as": "origin_not_listed" if is_foreign else None,
        }
        return self.keeper.keep(
            request.body, request=said, source_id=proof.source.id, hint=hint, received_at=received_at
        )


def request_of(scope: Scope, headers: Mapping[str, str], body: bytes, *, public_url: str) -> InboundRequest:
    """The request as adapters see it; public_url is ours as senders know it, before the path."""
    query = scope["query_string"].decode("latin-1")
    path = scope["path"]
    return InboundRequest(
        scope["method"], path, query, headers, body, f"{public_url}{path}?{query}" if query else public_url + path
    )


def check_encoding(headers: Mapping[str, str]) -> None:
    """Raise Refused 415 for an encoding other than identity or one gzip."""
    encoding = headers.get("content-encoding")
    if encoding is not None and encoding.strip().lower() not in {"", "identity", "gzip"}:
        field = FieldError("header:content-encoding", "encoding", "must be gzip, identity or absent")
        raise Refused(415, "unsupported_encoding", "Send the body plain or packed once with gzip.", errors=[field])


async def outlined(adapter: Adapter, request: InboundRequest) -> Outline:
    """The outline of a body, of a large one in a thread. Raises Refused 400 or 413 when it cannot be read whole."""
    try:
        return await aside(request, lambda: adapter.outline(plain_request(adapter, request)))
    except TooLarge as error:
        raise Refused(413, error.problem, error.detail) from error
    except Unreadable as error:
        raise Refused(status_of(error.problem), error.problem, error.detail) from error


def status_of(reason: str) -> int:
    """The status for a body that consists of one refused event."""
    return 413 if reason in _TOO_LARGE else 400
