"""Typeform: `sha256=` and the base64 HMAC-SHA256 of the body; no time."""

import base64
import hmac

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

SECRET = "a secret of tests"
BODY = (
    b'{"event_id":"01TF1","event_type":"form_response","form_response":{"token":"t1","submitted_at":'
    b'"2026-06-10T10:00:00Z","answers":[{"type":"email","email":"kim@acme.example","field":{"ref":"email"}}]}}'
)
TOLERANCE_SECONDS = None


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - the scheme has no time
    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return request_to(url, {"Typeform-Signature": f"sha256={signature}", "Content-Type": "application/json"}, body)
