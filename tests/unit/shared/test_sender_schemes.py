"""The schemes of senders alone: each way to show a secret, and lists of signatures."""

import base64
import hmac
from base64 import b64encode

import pytest

from shared.senders import is_rsa_signed, is_standard_webhook, shows_secret

NOW = 1_781_085_600.0
KEY = b"thirty-two bytes for these tests"
SECRET = "whsec_" + b64encode(KEY).decode()
BODY = b"{}"


def basic(credentials: str) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(credentials.encode()).decode()}"}


@pytest.mark.parametrize(
    ("headers", "secret", "is_shown"),
    [
        (basic("user:pass word"), "user:pass word", True),
        (basic("anybody:token"), "token", True),
        (basic("token:anybody"), "token", False),
        (basic("token"), "token", False),
        ({"authorization": "Bearer token"}, "token", True),
        ({"authorization": "Bearer tokens"}, "token", False),
        ({"authorization": "token"}, "token", False),
        ({"x-own": "token"}, "token", True),
        ({"x-other": "token"}, "token", False),
        ({"x-other": "token"}, "X-Other: token", True),
        ({"x-other": "token, token"}, "X-Other: token", False),
        ({}, "X-Other: ", False),
        ({}, "", False),
        (basic(":"), "", False),
        ({"x-own": ""}, "", False),
        ({"authorization": "Bearer é"}, "é", True),
    ],
)
def test_a_secret_is_shown_in_one_of_the_usual_ways(headers: dict[str, str], secret: str, *, is_shown: bool) -> None:
    assert shows_secret(headers, secret, "x-own") is is_shown


def signed(message_id: str = "msg_1", *, start: str = "webhook", more: str = "") -> dict[str, str]:
    signature = hmac.digest(KEY, f"{message_id}.{int(NOW)}.".encode() + BODY, "sha256")
    return {
        f"{start}-id": message_id,
        f"{start}-timestamp": str(int(NOW)),
        f"{start}-signature": f"{more}v1,{base64.b64encode(signature).decode()}",
    }


@pytest.mark.parametrize(
    ("headers", "is_signed"),
    [
        (signed(), True),
        (signed(start="svix"), True),
        (signed(more="v1,AAAA v1a,AAAA v1, nonsense "), True),
        (signed(more="v1,AAAA " * 20), False),
        (signed("a.b"), False),
        (signed(""), False),
        (signed(start="other"), False),
        ({**signed(), "webhook-timestamp": "x"}, False),
        ({**signed(), "webhook-timestamp": "x", **signed(start="svix")}, True),
        ({**signed(), "svix-id": "msg_1"}, True),
        ({**signed(), "svix-id": ""}, True),
        ({**signed(), "svix-id": "msg_2"}, False),
        ({"webhook-id": "msg_2", **signed(start="svix")}, False),
        ({**signed("msg_2"), **signed(start="svix")}, False),
    ],
)
def test_a_standard_webhook_is_proven_by_any_signature_of_its_list(headers: dict[str, str], *, is_signed: bool) -> None:
    assert is_standard_webhook(headers, BODY, secret=SECRET, now=NOW) is is_signed
    assert not is_standard_webhook(headers, BODY, secret=SECRET.replace("whsec_", "whpk_"), now=NOW)
    assert not is_standard_webhook(headers, BODY, secret="", now=NOW)


def test_a_certificate_that_is_none_proves_nothing() -> None:
    for certificate in ("", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        assert not is_rsa_signed(b"x", "AAAA", certificate=certificate, digest="sha256")
    assert not is_rsa_signed(b"x", "?", certificate="", digest="sha1")
