"""Intercom: `sha1=` and the hex HMAC-SHA1 of the body; no time."""

from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import request_to

SECRET = "a client secret of tests"
BODY = (
    b'{"type":"notification_event","topic":"contact.user.created","id":"notif_1","created_at":1781085600,'
    b'"data":{"item":{"type":"contact","id":"c1","email":"kim@acme.example"}}}'
)
TOLERANCE_SECONDS = None


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - the scheme has no time
    signature = keyed_hex(body, secret=secret, digest="sha1")
    return request_to(url, {"X-Hub-Signature": f"sha1={signature}", "Content-Type": "application/json"}, body)
