"""Forwards `/v1/*` to the service that owns the route, with a token that carries the user or key; nothing is changed.

Only the headers that mean something to the owner travel, in both directions: a client cannot smuggle a token in.
"""

from collections.abc import Mapping
from urllib.parse import quote

from services.console.commands.owners import Owners
from services.console.domain.owners import owner_of
from shared.errors import NotFound
from shared.web.auth import Principal
from shared.web.service_client import ServiceAnswer

__all__ = ["BODY_BYTES_MAX", "answer_headers", "forward"]

BODY_BYTES_MAX = 16 * 1024 * 1024  # an import; each owner's own bound is lower
FORWARD_SECONDS = 30.0
# Client or owner could read such a path as another one than was judged here.
_NOT_IN_PATHS = frozenset({"", ".", ".."})
_SENT = ("accept", "content-type", "idempotency-key", "if-match", "if-none-match", "request-id", "content-language")
_ANSWERED = (
    "content-type",
    "content-disposition",
    "etag",
    "idempotency-replayed",
    "link",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "deprecation",
    "sunset",
)


async def forward(
    owners: Owners,
    method: str,
    path: str,
    *,
    query: str,
    headers: Mapping[str, str],
    content: bytes,
    principal: Principal,
) -> ServiceAnswer:
    """Send one request to its owner and return the answer as it is. Raises NotFound for a path nobody owns."""
    owner = owner_of(path)
    if owner is None or not _NOT_IN_PATHS.isdisjoint(path.split("/")) or "\\" in path:
        raise NotFound("There is no such path; see the OpenAPI documents of the services.")
    sent = {name: headers[name] for name in _SENT if name in headers}
    target = f"/v1/{quote(path)}" + (f"?{query}" if query else "")  # the path came decoded: an id may hold a "?"
    return await owners.public[owner].send(
        method, target, principal=principal, content=content, headers=sent, timeout_seconds=FORWARD_SECONDS
    )


def answer_headers(answer: ServiceAnswer) -> dict[str, str]:
    """The headers of an owner's answer that reach the caller."""
    return {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
