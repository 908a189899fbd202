"""Calls another service: its address from the settings, a token for it alone, the principal forwarded.

Every call has a deadline; a service that does not answer is Busy, never an unknown exception.
"""

from collections.abc import AsyncIterable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx2
import orjson

from shared.config import ServiceSettings
from shared.errors import (
    AppError,
    Busy,
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RateLimited,
    Refused,
    Stale,
    StillRunning,
    TooLarge,
    Unauthorised,
    Unreadable,
)
from shared.web.auth import Principal, ServiceTokens

__all__ = ["ServiceAnswer", "ServiceClient", "error_of"]

TIMEOUT_SECONDS = 5.0
KEPT_ALIVE_SECONDS = 2.0  # below the callee's drain: an idle connection must not hold up its end
ServiceAnswer = httpx2.Response


class ServiceClient:
    """A client of one callee. internal = True calls its second port. One per process; closing it twice is fine."""

    def __init__(
        self, callee: str, *, tokens: ServiceTokens, internal: bool = False, base_url: str | None = None
    ) -> None:
        self.callee = callee
        self._tokens = tokens
        self._client = httpx2.AsyncClient(
            base_url=base_url or ServiceSettings.address_of(callee, internal=internal),
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(keepalive_expiry=KEPT_ALIVE_SECONDS),
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        principal: Principal | None = None,
        json: object = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> ServiceAnswer:
        """One call; the answer as it is, whatever its status. Raises Busy when there is none in time."""
        sent = {
            "authorization": f"Bearer {self._tokens.make(audience=self.callee, principal=principal)}",
            **(headers or {}),
        }
        if json is not None:
            content = orjson.dumps(json, default=str)
            sent.setdefault("content-type", "application/json")
        try:
            return await self._client.request(
                method, path, content=content, params=params, headers=sent, timeout=timeout_seconds
            )
        except httpx2.TransportError as error:
            raise Busy(f"The service {self.callee} does not answer now; try again in a moment.") from error

    async def call(self, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON of another service
        """As `send`, for 2xx: the decoded JSON (None when empty).

        Any other answer is raised as the AppError it stands for.
        """
        answer = await self.send(method, path, **named)
        if not answer.is_success:
            raise error_of(answer)
        return orjson.loads(answer.content) if answer.content else None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


_BY_STATUS: Mapping[int, type[AppError]] = {
    kind.status: kind
    for kind in (
        Unreadable, Unauthorised, Forbidden, NotFound, PreconditionFailed, TooLarge, Refused, PreconditionRequired,
        RateLimited,
    )
}  # fmt: skip


def error_of(answer: ServiceAnswer) -> AppError:
    """The AppError that a problem+json answer stands for; an unknown or 5xx one becomes Busy."""
    try:
        problem: dict[str, Any] = orjson.loads(answer.content)
        detail = str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        problem, detail = {}, f"Another service answered {answer.status_code}; try again in a moment."
    if answer.status_code == Stale.status:
        running = str(problem.get("type", "")).endswith(StillRunning.slug)
        return StillRunning(detail) if running else Stale(detail, current=problem.get("current"))
    kind = _BY_STATUS.get(answer.status_code)
    if kind is None:
        return Busy(detail)
    error = kind(detail)
    error.errors = tuple(FieldError(one["pointer"], one["code"], one["message"]) for one in problem.get("errors", ()))
    return error
