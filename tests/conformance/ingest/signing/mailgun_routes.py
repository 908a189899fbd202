"""Mailgun routes: hex HMAC-SHA256 of timestamp + token, fields of the form; what else the form says is not signed."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import request_to, with_

SECRET = "mailgun-signing-key-of-tests"
COVERS_BODY = False
BODY = b"from=Kim+Doe+%3Ckim%40acme.example%3E&subject=Re%3A+Prices&Message-Id=%3Cr5%40acme.example%3E&body-plain=Yes"
_TOKEN = "9c2e5a7f1b3d4e6f8a0c2b4d6e"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    timestamp = str(int(now))
    proof = {
        "timestamp": timestamp,
        "token": _TOKEN,
        "signature": keyed_hex(f"{timestamp}{_TOKEN}".encode(), secret=secret),
    }
    return request_to(url, _FORM, urlencode([*parse_qsl(body.decode()), *proof.items()]).encode())


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Each of the three changed, dropped, doubled before the right one, or moved into each other."""
    fields = dict(parse_qsl(right.body.decode()))
    for name in ("timestamp", "token", "signature"):
        value = fields[name]
        others = ["", value.upper() + "A", value[::-1], value * 2, f"{value}, {value}", f" {value}", f"{value}\n"]
        others += [value[:at] + "x" + value[at + 1 :] for at in range(len(value)) if value[at] != "x"]
        others += [value[:at] + value[at + 1 :] for at in range(len(value))]
        for other in others:
            yield with_(right, body=urlencode({**fields, name: other}).encode())
        yield with_(right, body=urlencode({key: one for key, one in fields.items() if key != name}).encode())
        yield with_(right, body=f"{name}=x&".encode() + right.body)
    timestamp, token = fields["timestamp"], fields["token"]
    yield with_(right, body=urlencode({**fields, "timestamp": timestamp[:-1], "token": timestamp[-1] + token}).encode())
    yield with_(right, body=b"from=kim%40acme.example")
