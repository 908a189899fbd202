"""Any tool: here a dated signature; the other three proofs are tried in `test_generic.py`."""

from collections.abc import Iterator

from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import request_to, with_

SECRET = "a-long-secret-of-tests-0123456789abcdef"
BODY = b'{"id":"e1","kind":"form_submit","time":"2026-06-10T10:00:00Z","email":"kim@acme.example","name":"Kim Doe"}'
VECTORS = "vectors/stripe_style.json"
_NAME = "Stripe-Signature"


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    signature = keyed_hex(f"{int(now)}.".encode() + body, secret=secret)
    return request_to(url, {_NAME: f"t={int(now)},v1={signature}", "Content-Type": "application/json"}, body)


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """The secret itself beside a wrong signature: the stronger proof decides alone."""
    bearer = {"Authorization": f"Bearer {SECRET}"}
    yield with_(right, headers={_NAME: "t=1,v1=00", **bearer})
    yield with_(right, headers={"Webhook-Signature": "v1,AAAA", **bearer})
    yield with_(right, headers={_NAME: "", **bearer})
