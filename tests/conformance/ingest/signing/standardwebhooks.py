"""Standard Webhooks 1.0: base64 HMAC-SHA256 of `id.timestamp.body`; `v1a` and Svix' names are in the vectors."""

import base64
import hmac
from collections.abc import Iterator

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import NOW, request_to, with_

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes for these tests").decode()
BODY = b'{"type":"form.submitted","timestamp":"2026-06-10T10:00:00Z","data":{"email":"kim@acme.example"}}'


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"msg_1.{int(now)}.".encode() + body, "sha256")
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now)),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        "Content-Type": "application/json",
    }
    return request_to(url, headers, body)


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Another version, a dot moved between id and time, and long lists of wrong ones."""
    signature = right.headers["webhook-signature"]
    for version in ("v1a", "v2", "V1", "v1 ", "", "1", "v01"):
        yield with_(right, headers={"webhook-signature": signature.replace("v1", version, 1)})
    yield with_(right, headers={"webhook-id": f"msg_1.{str(int(NOW))[0]}", "webhook-timestamp": str(int(NOW))[1:]})
    yield with_(right, headers={"webhook-signature": f"{'v1,xx ' * 500}{signature}"})


def other_secrets(secret: str) -> Iterator[str]:
    yield from ("", " ", "é", "nonsense", "whsec_", "whpk_", secret[:-1], secret[:-4], secret.swapcase())
    yield from (secret.replace("whsec_", "whpk_"), secret.replace("whsec_", "WHSEC_"), f"{secret}x")
