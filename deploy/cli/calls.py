"""Calls services as the operator: with the command's own key, to the addresses of the running stack or of the settings.

Refusals become errors of the command with the service's own words; nothing is retried here, the operator is asked.
"""

import os
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.cli.exits import Failed, NeedsMissing, RefusedByRule
from deploy.local import stack
from deploy.local.keys import COMMAND
from deploy.local.state import home_folder
from shared.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Calls", "calling", "stack_variables"]

_SECONDS = 30.0


def stack_variables() -> dict[str, str]:
    """The environment of the running stack; what is set for this command itself wins."""
    for home in (home_folder(), home_folder() / "demo"):
        found = stack.find(home)
        if found is not None:
            command_key = {"BATON_CLI_SIGNING_KEY_FILE": str(home / "keys" / f"{COMMAND}.pem")}
            own = {name: value for name, value in os.environ.items() if name.startswith("BATON_")}
            return {**found.variables, **command_key, **own}
    return {name: value for name, value in os.environ.items() if name.startswith("BATON_")}


class Calls:
    """HTTP to the services of one stack, as the operator."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        # A third of a second of imports that only commands that call pay for.
        import httpx2  # noqa: PLC0415

        from shared.web.auth import ServiceTokens  # noqa: PLC0415

        key = variables.get("BATON_CLI_SIGNING_KEY_FILE")
        if not key or not Path(key).exists():
            raise NeedsMissing(
                "No stack is running here and no key is set.\n"
                "  baton up                               starts a stack on this machine\n"
                "  BATON_CLI_SIGNING_KEY_FILE with BATON_<SERVICE>_URL and _INTERNAL_URL   point at one elsewhere"
            )
        self._variables = variables
        self._tokens = ServiceTokens.from_files(COMMAND, signing_key_file=Path(key), service_keys_file=None)
        self._client = httpx2.Client(timeout=_SECONDS, trust_env=False)
        self._transport_error = httpx2.TransportError

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        internal: bool = False,
        body: object = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON of a service
        """The JSON answer of one call.

        Raises RefusedByRule (in the service's words), NeedsMissing (no answer).
        """
        suffix = "_INTERNAL_URL" if internal else "_URL"
        base = self._variables.get(f"BATON_{service.upper()}{suffix}")
        if base is None:
            raise NeedsMissing(f"BATON_{service.upper()}{suffix} is not set and no stack is running: try `baton up`.")
        sent = {"authorization": f"Bearer {self._tokens.make(audience=service)}", **(headers or {})}
        if method not in {"GET", "HEAD"}:
            sent.setdefault("idempotency-key", str(new_id()))
        try:
            answer = self._client.request(method, base + path, json=body, content=content, params=params, headers=sent)
        except self._transport_error as error:
            raise NeedsMissing(f"{service} does not answer at {base} ({error}): `baton status` says more.") from error
        if answer.status_code >= 500:
            raise Failed(f"{service} answered {answer.status_code} to {method} {path}: {_words(answer)}")
        if answer.status_code >= 400:
            raise RefusedByRule(_words(answer))
        return answer.json() if answer.content else None


@contextmanager
def calling() -> "Iterator[Calls]":
    """Calls to the running stack, closed at the end."""
    calls = Calls(stack_variables())
    try:
        yield calls
    finally:
        calls.close()


def _words(answer: Any) -> str:  # noqa: ANN401 - an httpx2 answer; the library is imported late
    """What a problem+json says: title, detail, and each field with its reason."""
    try:
        problem = answer.json()
        fields = [f"\n  {one.get('pointer', '')}: {one.get('message', one)}" for one in problem.get("errors") or ()]
        return f"{problem.get('title', answer.status_code)}: {problem.get('detail', '')}{''.join(fields)}"
    except (ValueError, AttributeError):
        return f"{answer.status_code} {answer.text[:500]}"
