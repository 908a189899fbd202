"""What adapters say of hosts, tokens and set-up requests, without a door: where a proof lies, and what is good once."""

import json

import pytest

from services.ingest.adapters import brevo, mailgun, mandrill, ses
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Reply

TOPIC = "arn:aws:sns:eu-central-1:123456789012:mail"
HOST = "https://sns.eu-central-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123abcd.pem"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&Token=t"


def request(body: bytes, method: str = "POST") -> InboundRequest:
    return InboundRequest(method, "/webhooks/x/y", "", {}, body)


def envelope(**fields: object) -> InboundRequest:
    said = {"Type": "Notification", "TopicArn": TOPIC, "SigningCertURL": CERTIFICATE, "Message": "x", **fields}
    return request(json.dumps(said).encode())


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        (CERTIFICATE, True),
        ("https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0123abcd.pem", True),
        ("https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem", True),
        (CERTIFICATE.replace("https", "http"), False),
        (CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example"), False),
        (CERTIFICATE.replace("sns.", "evil.example/sns."), False),
        (CERTIFICATE.replace("sns.", "user@sns."), False),
        (CERTIFICATE.replace(".com/", ".com:8443/"), False),
        (CERTIFICATE.replace(".com/", ".com/x/../"), False),
        (f"{CERTIFICATE}?x=1", False),
        (f"{CERTIFICATE}\n", True),
        (f"{CERTIFICATE}\nhttps://evil.example/", False),
        ("", False),
    ],
)
def test_a_certificate_lies_on_the_host_of_sns_alone(url: str, *, is_taken: bool) -> None:
    found = ses.certificate_url(envelope(SigningCertURL=url), [TOPIC])
    assert found == (url.strip() if is_taken else None)
    assert ses.certificate_url(envelope(SigningCertURL=url), ["arn:of:others", ""]) is None
    assert ses.certificate_url(request(b"no json"), [TOPIC]) is None


@pytest.mark.parametrize(
    ("fields", "is_asked"),
    [
        ({"Type": "SubscriptionConfirmation", "SubscribeURL": CONFIRM}, True),
        ({"Type": "Notification", "SubscribeURL": CONFIRM}, False),
        ({"Type": "UnsubscribeConfirmation", "SubscribeURL": CONFIRM}, False),
        ({"Type": "SubscriptionConfirmation", "SubscribeURL": CONFIRM.replace("amazonaws.com", "evil.example")}, False),
        ({"Type": "SubscriptionConfirmation", "SubscribeURL": "http://169.254.169.254/?x=1"}, False),
        ({"Type": "SubscriptionConfirmation", "SubscribeURL": 1}, False),
    ],
)
def test_a_subscription_is_confirmed_on_the_host_of_sns_alone(fields: dict[str, object], *, is_asked: bool) -> None:
    assert (ses.confirmation_url(envelope(**fields)) is not None) is is_asked


def test_a_message_of_sns_without_its_fields_or_of_another_version_proves_nothing() -> None:
    for fields in ({"SignatureVersion": "3"}, {"Type": "Other", "SignatureVersion": "1"}, {"SignatureVersion": 1}):
        assert not ses.verify(envelope(**fields), f"{TOPIC}\nPEM", 0)
    assert not ses.verify(envelope(SignatureVersion="2", Signature="AAAA"), f"{TOPIC}\nPEM", 0)
    whole = {"MessageId": "1", "Timestamp": "2026-06-10T10:00:00Z", "SignatureVersion": "2", "Signature": "AAAA"}
    assert not ses.verify(envelope(**whole), f"{TOPIC}\nPEM", 0)


def test_a_token_of_mailgun_is_named_with_what_is_delivered_under_it() -> None:
    def shown(token: object, signature: str, event: str) -> tuple[str, bytes] | None:
        proof = {"timestamp": "1", "token": token, "signature": signature}
        return mailgun.once(request(json.dumps({"signature": proof, "event-data": {"event": event}}).encode()))

    assert shown("t", "a", "opened") == shown("t", "b", "opened") != shown("t", "a", "clicked")
    assert shown("", "a", "opened") is None
    assert shown(None, "a", "opened") is None
    assert mailgun.once(request(b"{}")) is None


def test_mandrill_tries_an_address_by_head_and_nothing_else_unsigned() -> None:
    assert mandrill.handshake(request(b"", "HEAD"), []) == Reply()
    assert mandrill.handshake(request(b"mandrill_events=%5B%5D"), []) is None
    assert mandrill.handshake(request(b"\xff"), []) is None


def test_odd_custom_fields_of_brevo_cost_no_event() -> None:
    for custom in ("no json", "[1]", "{", 5):
        body = json.dumps({"event": "opened", "email": "kim@acme.example", "X-Mailin-custom": custom}).encode()
        (found,) = brevo.parse(request(body), SourceSettings()).observations
        assert (found.kind, found.properties) == ("email_open", {})
