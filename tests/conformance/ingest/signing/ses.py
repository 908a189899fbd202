"""Amazon SES by SNS: RSA over the signed fields of the envelope, by a certificate of our own making.

The verifier is given the topic and the certificate; the source holds the topic, and the door fetches the certificate.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest
from tests.conformance.ingest.signing import NOW, URL, request_to, with_

_KEY = rsa.generate_private_key(65537, 2048)


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    at = datetime.fromtimestamp(NOW, UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(at - timedelta(days=1)).not_valid_after(at + timedelta(days=400))
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


SOURCE_SECRET = "arn:aws:sns:eu-central-1:123456789012:mail"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
FETCHED = {CERTIFICATE_URL: _certificate(_KEY).encode()}
SECRET = f"{SOURCE_SECRET}\n{_certificate(_KEY)}"
TOLERANCE_SECONDS = None
STATES_EVENT_IDS = True
BODY = b'{"eventType":"Open","mail":{"messageId":"1","destination":["kim@acme.example"]},"open":{}}'
_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    fields = {"Type": "Notification", "MessageId": "19ba9823-d7f2-53c1-860e-cb10e0d13dfc", "Message": body.decode()}
    return envelope(fields, topic=secret.partition("\n")[0], now=now, url=url)


def envelope(fields: Mapping[str, str], *, topic: str, now: float, url: str, version: str = "2") -> InboundRequest:
    """A signed message of SNS of any type."""
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    said = {**fields, "TopicArn": topic, "Timestamp": time}
    text = "".join(f"{name}\n{said[name]}\n" for name in _SIGNED if name in said)
    signature = _KEY.sign(text.encode(), PKCS1v15(), SHA256() if version == "2" else SHA1())  # noqa: S303 - theirs
    said |= {"SignatureVersion": version, "Signature": b64encode(signature).decode()}
    said |= {"SigningCertURL": CERTIFICATE_URL, "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=x"}
    return request_to(url, {"Content-Type": "text/plain; charset=UTF-8"}, json.dumps(said).encode())


def canonical(body: bytes) -> object:
    """What SNS signs, and the signature; a body that is no object is itself."""
    try:
        said = json.loads(body)
        return [(name, said.get(name)) for name in (*_SIGNED, "Signature", "SignatureVersion")]
    except (ValueError, AttributeError):
        return body


def mutations(right: InboundRequest) -> Iterator[InboundRequest]:
    """Each signed field changed, dropped, doubled or of another form."""
    said = json.loads(right.body)
    for name in ("Subject", *said.keys() - {"SigningCertURL", "UnsubscribeURL"}):
        value = said.get(name, "")
        others: list[object] = [
            "",
            "x",
            f"{value} ",
            f"{value}\n",
            value[::-1] + "x",
            value * 2 + "x",
            1,
            True,
            [value],
        ]
        others += [value[:at] + "~" + value[at + 1 :] for at in range(0, len(value), max(1, len(value) // 12))]
        for other in (one for one in others if one != value):
            yield with_(right, body=json.dumps({**said, name: other}).encode())
        if name in said:
            yield with_(right, body=json.dumps({key: one for key, one in said.items() if key != name}).encode())
    merged = {**said, "MessageId": said["MessageId"] + "\nTimestamp\n" + said["Timestamp"]}
    yield with_(right, body=json.dumps(merged).encode())


def other_secrets(secret: str) -> Iterator[str]:
    topic, _, certificate = secret.partition("\n")
    other = _certificate(rsa.generate_private_key(65537, 2048))
    yield from ("", topic, certificate, f"{topic}x\n{certificate}", f"\n{certificate}", f"{topic}\n{other}")
    yield from (f"{topic}\n{certificate[:200]}", f"{topic}\nnonsense", f"{topic}\né")


def of_case(case: Mapping[str, Any]) -> tuple[InboundRequest, SourceSettings]:
    """The file's note: id and time are those of the envelope."""
    said = {
        "Type": "Notification",
        "MessageId": "19ba9823-d7f2-53c1-860e-cb10e0d13dfc",
        "Timestamp": "2018-03-26T17:58:59.675Z",
        "Message": json.dumps(case["payload"]),
    }
    return request_to(URL.format(sender="ses"), {}, json.dumps(said).encode()), SourceSettings()


PAYLOADS = "vectors/amazon_ses_payloads.json"
