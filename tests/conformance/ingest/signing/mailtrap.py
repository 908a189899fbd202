"""Mailtrap: hex HMAC-SHA256 of the body in `Mailtrap-Signature`, when the source has that secret; no time is signed."""

import hmac

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

SECRET = "signing-secret-of-tests"
TOLERANCE_SECONDS = None
STATES_TAGS = True
BODY = b'{"events":[{"event":"open","email":"kim@acme.example","event_id":"1","timestamp":1781085600}]}'


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time is signed
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return request_to(url, {"Mailtrap-Signature": signature, "Content-Type": "application/json"}, body)
