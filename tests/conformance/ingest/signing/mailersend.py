"""MailerSend: hex HMAC-SHA256 of the body in `Signature`, when the source has that secret; no time is signed."""

import hmac

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

SECRET = "signing-secret-of-tests"
TOLERANCE_SECONDS = None
STATES_EVENT_IDS = True
STATES_TAGS = True
BODY = b'{"type":"activity.opened","data":{"id":"1","email":{"recipient":{"email":"kim@acme.example"}}}}'


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time is signed
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return request_to(url, {"Signature": signature, "Content-Type": "application/json"}, body)
