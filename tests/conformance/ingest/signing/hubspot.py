"""HubSpot: version 3 over method, address, body and milliseconds; versions 2 and 1 where version 3 is absent."""

import base64
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import Judged, request_to, with_

SECRET = "a client secret of tests"
BODY = (
    b'[{"eventId":1,"subscriptionId":71,"portalId":9000,"occurredAt":1781085600000,"objectId":501,'
    b'"subscriptionType":"contact.creation","attemptNumber":0,"changeSource":"kim"}]'
)
COVERS_URL = True
_NAMES = {"v1": "X-HubSpot-Signature", "v2": "X-HubSpot-Signature", "v3": "X-HubSpot-Signature-v3"}


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    millis = str(int(now * 1000))
    digest = hmac.digest(secret.encode(), b"POST" + url.encode() + body + millis.encode(), "sha256")
    headers = {
        "X-HubSpot-Signature-v3": base64.b64encode(digest).decode(),
        "X-HubSpot-Request-Timestamp": millis,
        "Content-Type": "application/json",
    }
    return request_to(url, headers, body)


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Another method, and older versions under the version 3 proof: that header decides alone."""
    yield right._replace(method="PUT")
    given = right.headers["x-hubspot-signature-v3"]
    for version in ("v1", "v2", "v3", ""):
        headers = {key: one for key, one in right.headers.items() if not key.startswith("x-hubspot-signature")}
        yield with_(
            right._replace(headers=headers),
            headers={"X-HubSpot-Signature": given, "X-HubSpot-Signature-Version": version},
        )


def of_vector(vector: Mapping[str, Any]) -> Judged | None:
    version = vector["version"]
    headers = {_NAMES[version]: vector["signature"], **vector.get("also_headers", {})}
    headers |= {} if version == "v3" else {"X-HubSpot-Signature-Version": version}
    headers |= {"X-HubSpot-Request-Timestamp": vector["timestamp"]} if vector["timestamp"] else {}
    request = request_to(vector["url"], headers, vector["body"].encode(), method=vector["method"])
    return Judged(request, vector["client_secret"], vector["now"] or 0)
