"""The mail provider's signing key of the demo: what SendGrid does for its customers, done for a made-up one."""

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["MailKey"]


@dataclass(frozen=True, slots=True)
class MailKey:
    """An ECDSA P-256 key pair; the public half is what the customer pastes into the source."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public(self) -> str:
        """The verification key, base64 of its DER form."""
        der = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def headers(self, body: bytes, *, timestamp: int) -> dict[str, str]:
        """The signature headers of one request, over timestamp and raw body."""
        signature = self.private.sign(str(timestamp).encode() + body, ec.ECDSA(SHA256()))
        return {
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": str(timestamp),
            "content-type": "application/json",
        }
