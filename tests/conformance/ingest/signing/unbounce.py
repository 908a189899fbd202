"""Unbounce: a bearer header that its administrator sets; it covers no body and has no time."""

from collections.abc import Iterator

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to, with_

SECRET = "a-long-secret-of-tests-0123456789abcdef"
BODY = b"page_name=Ebook&data.json=%7B%22email%22%3A%5B%22kim%40acme.example%22%5D%7D"
TOLERANCE_SECONDS = None
COVERS_BODY = False


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - the scheme has no time
    return request_to(
        url, {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-www-form-urlencoded"}, body
    )


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Under other words and with other spaces."""
    for other in (f"Basic {SECRET}", SECRET, f"Bearer  {SECRET}", f"Bearer {SECRET} x", f" Bearer {SECRET}", "Bearer "):
        yield with_(right, headers={"Authorization": other})
