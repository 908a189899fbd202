"""Mailgun: hex HMAC-SHA256 of timestamp + token, all three inside the body; what else the body says is not signed."""

import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest
from tests.conformance.ingest.signing import URL, Judged, request_to, with_

SECRET = "mailgun-signing-key-of-tests"
COVERS_BODY = False
STATES_TAGS = True
BODY = b'{"event-data":{"event":"opened","id":"1","timestamp":1781085600.5,"recipient":"kim@acme.example"}}'
_TOKEN = "7b1f0c3d9a5e4f2b8c6d1e0fa3"
_JSON, _FORM = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    timestamp = str(int(now))
    signature = hmac.new(secret.encode(), f"{timestamp}{_TOKEN}".encode(), "sha256").hexdigest()
    proof = {"timestamp": timestamp, "token": _TOKEN, "signature": signature}
    return request_to(url, _JSON, json.dumps({"signature": proof, **json.loads(body)}).encode())


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Each of the three changed, dropped, of another form, or moved into each other."""
    content = json.loads(right.body)
    proof = content["signature"]
    for name, value in proof.items():
        others: list[object] = ["", None, 0, int(value) if value.isdigit() else 1, [value], {name: value}, True]
        others += [value.upper() + "A", value[::-1], value * 2, f"{value}, {value}", f" {value}", f"{value}\n"]
        others += [value[:at] + "x" + value[at + 1 :] for at in range(len(value)) if value[at] != "x"]
        others += [value[:at] + value[at + 1 :] for at in range(len(value))]
        for other in others:
            yield _with(right, {**proof, name: other})
        yield _with(right, {key: one for key, one in proof.items() if key != name})
    timestamp, token = proof["timestamp"], proof["token"]
    yield _with(right, {**proof, "timestamp": timestamp[:-1], "token": timestamp[-1] + token})
    yield _with(right, {**proof, "timestamp": timestamp + token[0], "token": token[1:]})
    yield with_(right, headers=_FORM)
    yield with_(right, body=b"{}")


def of_vector(vector: Mapping[str, Any]) -> Judged | None:
    if vector.get("replay"):  # the door's memory judges repeats
        return None
    proof = {name: vector[name] for name in ("timestamp", "token", "signature")}
    body = json.dumps({"signature": proof, "event-data": {"event": "opened"}}).encode()
    return Judged(request_to(URL.format(sender="mailgun"), _JSON, body), vector["signing_key"], vector["now"])


def of_case(case: Mapping[str, Any]) -> tuple[InboundRequest, SourceSettings]:
    """The events of the legacy API are forms."""
    payload, url = case["payload"], URL.format(sender="mailgun")
    if "event-data" in payload:
        return request_to(url, _JSON, json.dumps(payload).encode()), SourceSettings()
    return request_to(url, _FORM, urlencode(payload, doseq=True).encode()), SourceSettings()


def _with(right: InboundRequest, proof: Mapping[str, object]) -> InboundRequest:
    return with_(right, body=json.dumps({**json.loads(right.body), "signature": proof}).encode())
