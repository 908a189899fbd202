"""Meta: `sha256=` and the hex HMAC-SHA256 of the body."""

from collections.abc import Iterator

from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import request_to, with_

SECRET = "anAppSecretOfTests"
BODY = (
    b'{"object":"page","entry":[{"id":"22","time":1781085600,"changes":[{"field":"leadgen","value":'
    b'{"created_time":1781085598,"leadgen_id":"2000000000000000101","name":"kim"}}]}]}'
)
TOLERANCE_SECONDS = None
VECTORS = "vectors/meta_leadgen.json"


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - the scheme has no time
    signature = keyed_hex(body, secret=secret)
    return request_to(url, {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}, body)


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """The older signature alone, however right it is."""
    headers = {"x-hub-signature": f"sha1={keyed_hex(right.body, secret=SECRET, digest='sha1')}"}
    yield right._replace(headers=headers)
    for start in ("sha1=", "SHA256=", "", "sha256:"):
        yield with_(right, headers={"X-Hub-Signature-256": start + right.headers["x-hub-signature-256"][7:]})
