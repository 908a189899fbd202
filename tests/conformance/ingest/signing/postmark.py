"""Postmark: Basic credentials of the address; nothing is signed."""

from base64 import b64encode

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

SECRET = "postmark:b3Zlc3-of-tests"
TOLERANCE_SECONDS = None
COVERS_BODY = False
STATES_TAGS = True
BODY = b'{"RecordType":"Delivery","MessageID":"1","Recipient":"kim@acme.example","DeliveredAt":"2026-06-10T10:00:00Z"}'


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time is signed
    headers = {"Authorization": f"Basic {b64encode(secret.encode()).decode()}", "Content-Type": "application/json"}
    return request_to(url, headers, body)
