"""HTTP to the services of a stack with the command's own key: as the operator, or on behalf of a user.

Decides addresses, tokens and what an answer means; retries nothing. `OperatorCalls` is for commands, `StackCalls` for
drivers that do many things at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from typing_extensions import override

from deploy.local.keys import COMMAND
from deploy.local.state import State
from shared.clock import monotonic
from shared.ids import new_id
from shared.web.auth import Principal, ServiceTokens

__all__ = ["CallError", "NoAnswer", "OperatorCalls", "StackCalls", "key_file", "read_answer", "variables_of"]

_SECONDS = 30.0
_TOKEN_SECONDS = 60.0  # far below its five minutes
_REFUSED, _BROKEN = 400, 500


@dataclass
class CallError(Exception):
    """A service answered with an error; the text is its own words, with each field and its reason."""

    status: int
    text: str
    problem: Mapping[str, Any]

    @override
    def __str__(self) -> str:
        return self.text

    @property
    def is_refusal(self) -> bool:
        """Whether a rule said no (4xx); otherwise the service itself failed."""
        return _REFUSED <= self.status < _BROKEN


class NoAnswer(Exception):
    """The service is not there, or nobody said where it is."""


def key_file(state: State) -> Path:
    """The command's private key in a stack's home."""
    return Path(state.home) / "keys" / f"{COMMAND}.pem"


def variables_of(state: State) -> dict[str, str]:
    """The environment of a stack, with the command's key."""
    return {**state.variables, "BATON_CLI_SIGNING_KEY_FILE": str(key_file(state))}


class _Addressed:
    """Where services are and how a call is signed."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        key = Path(variables["BATON_CLI_SIGNING_KEY_FILE"])
        self._tokens = ServiceTokens.from_files(COMMAND, signing_key_file=key, service_keys_file=None)
        self._own: dict[str, tuple[float, str]] = {}  # per service when a token for ourselves was made, and the token

    def address(self, service: str, *, internal: bool = False) -> str:
        """Base URL of a service's public or second port. Raises NoAnswer when it is not set."""
        name = f"BATON_{service.upper()}{'_INTERNAL_URL' if internal else '_URL'}"
        if name not in self._variables:
            raise NoAnswer(f"{name} is not set and no stack is running: try `baton up`.")
        return self._variables[name]

    def headers(
        self, service: str, method: str, extra: Mapping[str, str] | None, principal: Principal | None
    ) -> dict[str, str]:
        """Token, and a fresh idempotency key for whatever writes."""
        token = self._token(service) if principal is None else self._tokens.make(audience=service, principal=principal)
        sent = {"authorization": f"Bearer {token}", **(extra or {})}
        if method not in {"GET", "HEAD"}:
            sent.setdefault("idempotency-key", str(new_id()))
        return sent

    def _token(self, service: str) -> str:
        """A token without a user, used again while it is young: a driver that looks often would sign all the time."""
        made_at, token = self._own.get(service, (float("-inf"), ""))
        if monotonic() - made_at > _TOKEN_SECONDS:
            token = self._tokens.make(audience=service)
            self._own[service] = (monotonic(), token)
        return token


class OperatorCalls(_Addressed):
    """Calls one after the other, for commands."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self._client = httpx2.Client(timeout=_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def send(
        self,
        service: str,
        method: str,
        path: str,
        *,
        internal: bool = False,
        body: object = None,
        content: bytes | Iterable[bytes] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _SECONDS,
    ) -> httpx2.Response:
        """The answer, unless it is an error. Raises CallError in the service's words, NoAnswer when nobody answers."""
        base = self.address(service, internal=internal)
        sent = self.headers(service, method, headers, None)
        try:
            answer = self._client.request(
                method,
                base + path,
                json=body,
                content=content,
                params=params,
                headers=sent,
                timeout=timeout_seconds,
            )
        except httpx2.TransportError as error:
            raise NoAnswer(f"{service} does not answer at {base} ({error}): `baton status` says more.") from error
        return read_answer(answer)

    def call(self, service: str, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON of a service
        """The JSON answer of `send`, None when it is empty."""
        answer = self.send(service, method, path, **named)
        return answer.json() if answer.content else None


class StackCalls(_Addressed):
    """Calls at the same time, for drivers. Use as an async context manager."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self._client = httpx2.AsyncClient(timeout=_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def send(
        self,
        service: str,
        method: str,
        path: str,
        *,
        internal: bool = False,
        principal: Principal | None = None,
        body: object = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
    ) -> httpx2.Response:
        """The answer as it is, unless it is an error. signed False sends the given headers alone (front door)."""
        base = self.address(service, internal=internal)
        sent = self.headers(service, method, headers, principal) if signed else dict(headers or {})
        try:
            answer = await self._client.request(
                method, base + path, json=body, content=content, params=params, headers=sent
            )
        except httpx2.TransportError as error:
            raise NoAnswer(f"{service} does not answer at {base} ({error}).") from error
        return read_answer(answer)

    async def call(self, service: str, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON of a service
        """The JSON answer of `send`."""
        answer = await self.send(service, method, path, **named)
        return answer.json() if answer.content else None


def read_answer(answer: httpx2.Response) -> httpx2.Response:
    """The answer, unless it is an error. Raises CallError in the service's words."""
    if answer.status_code >= _REFUSED:
        problem = _problem(answer)
        asked = f"{answer.request.method} {answer.request.url.path}"
        fields = "".join(
            f"\n  {one.get('pointer', '')}: {one.get('message', one)}" for one in problem.get("errors") or ()
        )
        text = (
            f"{problem.get('title', answer.status_code)}: {problem.get('detail', answer.text[:500])}{fields} ({asked})"
        )
        raise CallError(answer.status_code, text, problem)
    return answer


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
