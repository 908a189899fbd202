"""Zoom: `v0=` and the hex HMAC-SHA256 of `v0:`, time, colon and body."""

from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import request_to

SECRET = "a secret token of tests"
BODY = (
    b'{"event":"webinar.registration_created","payload":{"object":{"id":"91380001111","topic":"SLA clinic",'
    b'"registrant":{"id":"r1","email":"kim@acme.example"}}},"event_ts":1781085600914}'
)


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    signature = keyed_hex(f"v0:{int(now)}:".encode() + body, secret=secret)
    headers = {
        "x-zm-signature": f"v0={signature}",
        "x-zm-request-timestamp": str(int(now)),
        "Content-Type": "application/json",
    }
    return request_to(url, headers, body)
