"""Google Ads: a key inside the body, which proves nothing of the rest of it."""

import json
from collections.abc import Iterator

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to, with_

SECRET = "a-key-of-tests-0123456789abcdef"
BODY = (
    b'{"lead_id":"lead-1","user_column_data":[{"column_id":"EMAIL","string_value":"kim@acme.example"}],'
    b'"form_id":9007199254740993,"is_test":false,"google_key":"a-key-of-tests-0123456789abcdef"}'
)
TOLERANCE_SECONDS = None
COVERS_BODY = False


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - the scheme has no time
    filled = {**json.loads(body), "google_key": secret}
    return request_to(url, {"Content-Type": "application/json"}, json.dumps(filled).encode())


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Every other key and every other place of it, and bodies that are cut."""
    keys: list[object] = [None, "", True, 0, [SECRET], {"key": SECRET}, SECRET[:-1], f"{SECRET} ", f" {SECRET}"]
    for at in range(len(SECRET)):
        keys += [SECRET[:at] + sign + SECRET[at + 1 :] for sign in "~7XqZ"]
        keys += [SECRET[:at] + SECRET[at + 1 :], SECRET[:at] + "~" + SECRET[at:]]
    for key in keys:
        yield with_(right, body=json.dumps({**json.loads(right.body), "google_key": key}).encode())
    for name in ("Google_Key", "googleKey", "key", "google_key "):
        body = {other: value for other, value in json.loads(right.body).items() if other != "google_key"}
        yield with_(right, body=json.dumps({**body, name: SECRET}).encode())
    for body_of in (b"", b"[]", b"null", right.body[:-1], b"[" + right.body + b"]", SECRET.encode()):
        yield with_(right, body=body_of)
