"""LinkedIn: the hex HMAC-SHA256 of `hmacsha256=` and the body; no time."""

from collections.abc import Iterator

from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import request_to, with_

SECRET = "aClientSecretOfTests"
BODY = (
    b'{"type":"LEAD_ACTION","leadGenFormResponse":"urn:li:leadGenFormResponse:ab12-3","leadAction":"CREATED",'
    b'"leadType":"kim","occurredAt":1781085600000}'
)
TOLERANCE_SECONDS = None


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - the scheme has no time
    signature = keyed_hex(b"hmacsha256=" + body, secret=secret)
    return request_to(url, {"X-LI-Signature": signature, "Content-Type": "application/json"}, body)


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Signed without the literal, or with it shown."""
    yield with_(right, headers={"X-LI-Signature": keyed_hex(right.body, secret=SECRET)})
    yield with_(right, headers={"X-LI-Signature": f"hmacsha256={right.headers['x-li-signature']}"})
