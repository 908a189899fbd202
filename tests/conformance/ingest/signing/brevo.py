"""Brevo: Basic credentials in its address, when the source has them as secret; nothing is signed."""

from base64 import b64encode

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

SECRET = "brevo:b3Zlc3-of-tests"
TOLERANCE_SECONDS = None
COVERS_BODY = False
BODY = b'{"event":"click","email":"kim@acme.example","message-id":"<1@x>","ts_epoch":1781085600000}'
STATES_TAGS = True


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time is signed
    headers = {"Authorization": f"Basic {b64encode(secret.encode()).decode()}", "Content-Type": "application/json"}
    return request_to(url, headers, body)
