"""SendGrid: ECDSA P-256/SHA-256 over timestamp and raw body; the source holds the public key."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.ingest.domain.observation import Observation
from shared.senders import InboundRequest
from tests.conformance.ingest.signing import request_to

_KEY = ec.generate_private_key(ec.SECP256R1())
SECRET = b64encode(_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
STATES_MESSAGES = False  # the captured cases state another project's ids
STATES_EVENT_IDS = True
BODY = b'[{"email":"kim@acme.example","event":"open","sg_event_id":"x","timestamp":1781085600}]\r\n'


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    assert secret == SECRET, "the private half is here alone"
    signature = _KEY.sign(str(int(now)).encode() + body, ec.ECDSA(SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": str(int(now)),
        "Content-Type": "application/json",
    }
    return request_to(url, headers, body)


def check_case(case: Mapping[str, Any], found: Sequence[Observation]) -> None:
    """The file's note: our message id is `sg_message_id` up to its first dot."""
    assert found[0].touch.message == case["payload"][0]["sg_message_id"].partition(".")[0]
