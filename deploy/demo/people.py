"""The company's own people at the console's public door: they sign in with a password and act with their session.

Sends what a browser sends (cookie, origin, CSRF token) to `/v1`, which the console forwards to the owner of the route.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx2

from deploy.local.operator import CallError, NoAnswer, read_answer
from shared.clock import sleep
from shared.ids import new_id

__all__ = ["LATER", "PAUSE_SECONDS", "Key", "Person"]

_SECONDS = 30.0
# What is busy or starts again right now is asked again: the story's people have a minute, not a deadline.
LATER, PAUSE_SECONDS, _TRIES_MAX = {429, 503}, 0.25, 80
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_TOKEN_OF_PAGE = re.compile(r'"X-CSRF-Token": "([^"]+)"')


@dataclass(slots=True)
class Person:
    """A signed-in user; `session` is kept by the client's cookies."""

    console: str
    email: str
    password: str
    user_id: str = ""
    csrf: str = ""
    client: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx2.AsyncClient(base_url=self.console, timeout=_SECONDS, trust_env=False)

    async def sign_in(self) -> None:
        """Through the sign-in page, as a browser does."""
        page = read_answer(await self.client.get("/login"))
        found = _CSRF.search(page.text)
        assert found is not None, "the sign-in page has a form"
        form = {"user_name": self.email, "password": self.password, "csrf": found.group(1), "to": "/"}
        entered = await self.client.post("/login", data=form, headers={"origin": self.console})
        if entered.status_code != httpx2.codes.SEE_OTHER:
            raise CallError(entered.status_code, f"{self.email} could not sign in: {entered.text[:300]}", {})
        home = read_answer(await self.client.get(entered.headers["location"]))
        token = _TOKEN_OF_PAGE.search(home.text)
        assert token is not None, "every page names the session's token"
        self.csrf = token.group(1)

    async def do(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        if_match: str | None = None,
        **more: Any,  # noqa: ANN401
    ) -> httpx2.Response:
        """One `/v1` request. Raises CallError with the service's words."""
        headers = {"origin": self.console, "x-csrf-token": self.csrf}
        if method not in {"GET", "HEAD"}:
            headers["idempotency-key"] = str(new_id())
        if if_match is not None:
            headers["if-match"] = if_match
        headers |= more.pop("headers", {})
        return await _answer(self.client, method, path, json=body, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON of a service
        """The JSON of a GET."""
        return (await self.do("GET", path, **more)).json()


@dataclass(slots=True)
class Key:
    """A program of the company (its CRM, its scripts) with an API key."""

    console: str
    key: str
    client: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx2.AsyncClient(base_url=self.console, timeout=_SECONDS, trust_env=False)

    async def do(self, method: str, path: str, body: object = None, **more: Any) -> httpx2.Response:  # noqa: ANN401
        """One `/v1` request. Raises CallError with the service's words."""
        headers = {"authorization": f"Bearer {self.key}"}
        if method not in {"GET", "HEAD"}:
            headers["idempotency-key"] = str(new_id())
        return await _answer(self.client, method, path, json=body, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON of a service
        """The JSON of a GET."""
        return (await self.do("GET", path, **more)).json()


async def _answer(client: httpx2.AsyncClient, method: str, path: str, **more: Any) -> httpx2.Response:  # noqa: ANN401
    """The answer; asked again, under the same idempotency key, while nobody answers or the answer is "later".

    Raises CallError in the service's words, NoAnswer when the console does not answer.
    """
    for tries_left in reversed(range(_TRIES_MAX)):
        try:
            answer = await client.request(method, path, **more)
        except httpx2.TransportError as error:
            if not tries_left:
                raise NoAnswer(f"console does not answer at {client.base_url} ({type(error).__name__}).") from error
        else:
            if answer.status_code not in LATER or not tries_left:
                return read_answer(answer)
        await sleep(PAUSE_SECONDS)
    raise AssertionError("the last try answers or raises")
