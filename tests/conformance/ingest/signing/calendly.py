"""Calendly: `t=…,v1=…`, hex HMAC-SHA256 of time, dot and body; 180 s."""

from collections.abc import Iterator

from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import request_to, with_

SECRET = "a signing key of tests"
BODY = (
    b'{"created_at":"2026-06-10T10:00:00Z","event":"invitee.created","payload":{"uri":'
    b'"https://api.calendly.com/scheduled_events/e1/invitees/i1","email":"kim@acme.example","name":"Kim"}}'
)
TOLERANCE_SECONDS = 180
_NAME = "Calendly-Webhook-Signature"


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    signature = keyed_hex(f"{int(now)}.".encode() + body, secret=secret)
    return request_to(url, {_NAME: f"t={int(now)},v1={signature}", "Content-Type": "application/json"}, body)


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """The parts in another order, doubled, under another version, in capitals."""
    time, signature = right.headers[_NAME.lower()].split(",")
    for other in (
        f"{signature},{time}",
        f"{time},{time},{signature}",
        f"{time}, {signature}",
        f"{time},{signature.replace('v1', 'v0')}",
        f"{time},{signature},",
        f"{time},v1={signature[3:].upper()}",
        f"{time.upper()},{signature}",
    ):
        yield with_(right, headers={_NAME: other})
