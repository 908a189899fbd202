"""Mailchimp: Basic credentials in its address, when the source has them as secret; nothing is signed."""

from base64 import b64encode

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

SECRET = "mailchimp:b3Zlc3-of-tests"
TOLERANCE_SECONDS = None
COVERS_BODY = False
BODY = b"type=unsubscribe&fired_at=2026-06-10+10%3A00%3A00&data%5Bid%5D=8a25&data%5Bemail%5D=kim%40acme.example"


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time is signed
    headers = {
        "Authorization": f"Basic {b64encode(secret.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return request_to(url, headers, body)
