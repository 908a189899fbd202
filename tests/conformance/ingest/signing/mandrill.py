"""Mandrill: base64 HMAC-SHA1 of the public address and the sorted fields of the form; no time is signed."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from services.ingest.adapters import mandrill
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest
from tests.conformance.ingest.signing import URL, request_to, with_

SECRET = "mandrill-key-of-tests"
TOLERANCE_SECONDS = None
COVERS_URL = True
STATES_TAGS = True
_FORM = "application/x-www-form-urlencoded"
_EVENTS = '[{"event":"open","_id":"1","ts":1781085600,"msg":{"email":"kim@acme.example"}}]'
BODY = urlencode({"mandrill_events": _EVENTS}).encode()


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time is signed
    fields = "".join(name + value for name, value in sorted(parse_qsl(body.decode(), keep_blank_values=True)))
    signature = hmac.digest(secret.encode(), (url + fields).encode(), "sha1")
    return request_to(url, {"X-Mandrill-Signature": b64encode(signature).decode(), "Content-Type": _FORM}, body)


def canonical(body: bytes) -> object:
    """The fields, since `%5b` and `%5B` are one."""
    return sorted(parse_qsl(body.decode("latin-1"), keep_blank_values=True))


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """More fields, in any place, and the published key of tests."""
    for more in (b"a=", b"mandrill_events=", b"z=1", b"=x", b"%00=1", right.body):
        yield with_(right, body=right.body + b"&" + more)
        yield with_(right, body=more + b"&" + right.body)
    yield sign(right.body, "test-webhook", 0, url=right.url)
    for number in range(60):
        yield with_(right, body=right.body.replace(b"kim", b"k%dm" % (number + 100)))


def verdict(request: InboundRequest, secret: str, now: float) -> bool:
    """Some vectors are signed right and say no list of events: nothing may be kept of them."""
    try:
        mandrill.outline(request)
    except Unreadable:
        return False
    return mandrill.verify(request, secret, now)


def of_case(case: Mapping[str, Any]) -> tuple[InboundRequest, SourceSettings]:
    body = urlencode({"mandrill_events": json.dumps(case["payload"])}).encode()
    return request_to(URL.format(sender="mandrill"), {"Content-Type": _FORM}, body), SourceSettings()
