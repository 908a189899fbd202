"""How each sender proves itself, in the words of tests: one module per sender, named like it, found by discovery.

A module has `SECRET` (what its source holds), `BODY` (a right body) and `sign(body, secret, now, *, url)`; what differs
from the defaults of `Signing` it says under the same name in capitals (`TOLERANCE_SECONDS = None`), or as a function
(`mutations`, `of_vector`, `verdict`, `of_case` and the like).
"""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.observation import Observation
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest

__all__ = ["NOW", "SIGNINGS", "URL", "Judged", "Sign", "Signing", "lowered", "request_to", "with_"]

NOW = 1_781_085_600.0
URL = "https://in.example.test/webhooks/{sender}/0123456789abcdef"
_SECRET_NAMES = (
    "secret",
    "key",
    "signing_key",
    "signing_secret",
    "client_secret",
    "app_secret",
    "secret_token",
    "google_key",
    "public_key_der_b64",
)


class Sign(Protocol):
    """Makes a request as the sender would: signed with this secret at `now`, to this address."""

    def __call__(self, body: bytes, secret: str, now: float, *, url: str) -> InboundRequest: ...


class Judged(NamedTuple):
    """A published vector as a question to the verifier."""

    request: InboundRequest
    secret: str
    now: float


@dataclass(frozen=True, slots=True)
class Signing:
    """The scheme of one sender: the defaults are those of a header over a timestamp and the raw body."""

    sender: str
    sign: Sign
    secret: str
    body: bytes
    tolerance_seconds: int | None
    """How far a signed time may be off; None for a scheme without one."""
    covers_body: bool
    """Whether the proof is one of the body; else only its headers (and `mutations`) are changed."""
    covers_url: bool
    canonical: Callable[[bytes], object]
    """What of a body is signed: two bodies of the same canonical form are one and the same, not a forgery."""
    mutations: Callable[[InboundRequest], Iterable[InboundRequest]]
    """More changes that must be refused, of this scheme alone."""
    vectors: str
    of_vector: Callable[[Mapping[str, Any]], Judged | None]
    """One of `vectors[]` as a question, None for one that asks something else (a handshake, a repeat)."""
    verdict: Callable[[InboundRequest, str, float], bool]
    settings: SourceSettings
    """The settings that its source needs when it is tried through sockets."""
    payloads: str
    of_case: Callable[[Mapping[str, Any]], tuple[InboundRequest, SourceSettings]]
    """One of `cases[]` of the captured payloads as a request and the settings of its source."""
    states_messages: bool
    """Whether the captured cases state our message ids, and so on below."""
    states_event_ids: bool
    states_tags: bool
    check_case: Callable[[Mapping[str, Any], list[Observation]], None]
    """What else a captured case says."""
    other_secrets: Callable[[str], Iterable[str]]
    """Secrets that did not sign."""
    source_secret: str
    """What the source holds where that is not what the verifier is given."""
    fetched: Mapping[str, bytes]
    """What the door may fetch to check a proof: address to body."""

    def signed(self, *, now: float = NOW, body: bytes | None = None, url: str = "") -> InboundRequest:
        """A right request."""
        return self.sign(
            self.body if body is None else body, self.secret, now, url=url or URL.format(sender=self.sender)
        )


def request_to(url: str, headers: Mapping[str, str], body: bytes, *, method: str = "POST") -> InboundRequest:
    """A request to this address; header names in lower case."""
    parts = urlsplit(url)
    return InboundRequest(method, parts.path, parts.query, lowered(headers), body, url)


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def with_(
    request: InboundRequest, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> InboundRequest:
    """The same request with another body, or with some other headers."""
    return request._replace(
        body=request.body if body is None else body, headers={**request.headers, **lowered(headers or {})}
    )


def _of_vector(sender: str) -> Callable[[Mapping[str, Any]], Judged | None]:
    def judged(vector: Mapping[str, Any]) -> Judged | None:
        secret = next((str(vector[name]) for name in _SECRET_NAMES if name in vector), None)
        if secret is None or "body" not in vector:
            return None
        url = vector.get("url", URL.format(sender=sender))
        request = request_to(
            url, vector.get("headers", {}), vector["body"].encode(), method=vector.get("method", "POST")
        )
        return Judged(request, secret, vector.get("now", NOW))

    return judged


def _of_case(sender: str) -> Callable[[Mapping[str, Any]], tuple[InboundRequest, SourceSettings]]:
    def request(case: Mapping[str, Any]) -> tuple[InboundRequest, SourceSettings]:
        body = json.dumps(case["payload"]).encode()
        return request_to(URL.format(sender=sender), {"content-type": "application/json"}, body), SourceSettings()

    return request


def _other_secrets(secret: str) -> Iterable[str]:
    return ("", " ", "é", "nonsense", secret[:-1], secret[1:], f"{secret}x", secret.swapcase(), secret * 2)


def _signing(module: ModuleType, sender: str) -> Signing:
    said = cast("Mapping[str, Any]", vars(module))
    return Signing(
        sender=sender,
        sign=said["sign"],
        secret=said["SECRET"],
        body=said["BODY"],
        tolerance_seconds=said.get("TOLERANCE_SECONDS", 300),
        covers_body=said.get("COVERS_BODY", True),
        covers_url=said.get("COVERS_URL", False),
        canonical=said.get("canonical", bytes),
        mutations=said.get("mutations", lambda _: ()),
        vectors=said.get("VECTORS", f"vectors/{sender}.json"),
        of_vector=said.get("of_vector", _of_vector(sender)),
        verdict=said.get("verdict", ADAPTERS[sender].verify),
        settings=said.get("SETTINGS", SourceSettings()),
        payloads=said.get("PAYLOADS", f"vectors/{sender}_payloads.json"),
        of_case=said.get("of_case", _of_case(sender)),
        states_messages=said.get("STATES_MESSAGES", True),
        states_event_ids=said.get("STATES_EVENT_IDS", False),
        states_tags=said.get("STATES_TAGS", False),
        check_case=said.get("check_case", lambda _case, _found: None),
        other_secrets=said.get("other_secrets", _other_secrets),
        source_secret=said.get("SOURCE_SECRET", said["SECRET"]),
        fetched=said.get("FETCHED", {}),
    )


def _discovered() -> dict[str, Signing]:
    names = sorted(one.name for one in pkgutil.iter_modules(__path__))
    return {name: _signing(importlib.import_module(f"{__name__}.{name}"), name) for name in names}


# Modules of senders import from here, so this comes last of all.
SIGNINGS: Mapping[str, Signing] = _discovered()
