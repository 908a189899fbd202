"""Customer.io: hex HMAC-SHA256 of `v0:timestamp:body`."""

import hmac

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

SECRET = "cio-signing-key-of-tests"
BODY = (
    b'{"metric":"opened","object_type":"email","event_id":"1","timestamp":1781085600,'
    b'"data":{"recipient":"kim@acme.example","identifiers":{"email":"kim@acme.example"}}}'
)


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    timestamp = str(int(now))
    signature = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, "sha256").hexdigest()
    headers = {"X-CIO-Timestamp": timestamp, "X-CIO-Signature": signature, "Content-Type": "application/json"}
    return request_to(url, headers, body)
