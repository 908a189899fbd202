"""What a sender adapter is, and the signature schemes of senders as pure functions.

Ingest's front door and adapters share it. It knows bytes, headers and secrets, nothing of sources
or leads. Invariant: a verifier never raises for what the outside sent; a malformed proof is simply no proof, and every
comparison with something secret is `hmac.compare_digest`.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_pem_x509_certificate

__all__ = [
    "SIGNED_TIME_TOLERANCE_SECONDS",
    "Digest",
    "Headers",
    "InboundRequest",
    "Proof",
    "Reply",
    "SenderAdapter",
    "basic_credentials",
    "bearer_token",
    "decoded_base64",
    "is_base64_signed",
    "is_dated_signed",
    "is_ecdsa_p256_signed",
    "is_fresh",
    "is_hex_signed",
    "is_rsa_signed",
    "is_same",
    "is_standard_webhook",
    "keyed_hex",
    "shows_secret",
]

# A captured request is worth nothing after this; a sender's clock may be off by as much, either way (SENDERS 3.5).
SIGNED_TIME_TOLERANCE_SECONDS: Final = 300
_TIMESTAMP_DIGITS_MAX: Final = 13  # longer is no unix time, and int() of a long text is slow
# The parts of a dated signature, in this order and nothing between: another order is another header, not this one.
_DATED: Final = re.compile(r"t=([0-9]{1,13})((?:,v[0-9]{1,2}=[0-9A-Za-z+/_-]{1,128}={0,2}){1,16})", re.ASCII)

_SIGNATURES_MAX: Final = 16  # a header lists two while a secret rotates; more are an attack on our time
_STANDARD_NAMES: Final = ("webhook", "svix")
_SYMMETRIC_START, _PUBLIC_START = "whsec_", "whpk_"

Digest = Literal["sha1", "sha256"]

Proof = Literal["key", "signature", "shared_secret", "address"]
"""A write key; a signature of the bytes; a secret sent along; or only the address: 128 random bits nobody else has."""
Headers = Mapping[str, str]
"""Names in lower case; a doubled header is joined with ", ", so a doubled proof is a malformed one."""

Settings_contra = TypeVar("Settings_contra", contravariant=True)
Parsed_co = TypeVar("Parsed_co", covariant=True)


class InboundRequest(NamedTuple):
    """One request as the sender made it; `query` is the raw text behind the question mark.

    `url` is the address the sender called, as it knows it (our public address, path and query): some sign it. Empty
    where nobody needs it any more, behind the door.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer the sender expects: status, body and its media type."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


class SenderAdapter(Protocol[Settings_contra, Parsed_co]):
    """One sender, one module: a module with these names is an adapter, and discovery finds it.

    Everything is pure and total: `hint`, `handshake` and `verify` never raise; `parse` raises Unreadable alone, when
    the body as a whole cannot be read.
    """

    SENDER: str
    """Its name in addresses (`/webhooks/{sender}/…`) and in activities."""
    TITLE: str
    """Its name as people know it."""
    SETUP: tuple[str, ...]
    """What a person does there, step by step; `{url}` stands for the source's address, `{key}` for its key."""
    PROOF: Proof
    """How a request of it is proven."""
    REPLY: Reply
    """What a kept delivery is answered with."""
    KEPT_HEADERS: tuple[str, ...]
    """The headers that `parse` needs, in lower case; the others are not kept."""
    KINDS: Mapping[str, str]
    """Sender's kind to ours; the table first, so a reader sees what is understood."""
    STATUSES: tuple[str, ...]
    """Sender's kinds that are kept on the delivery and make no activity."""

    def hint(self, request: InboundRequest) -> str | None:
        """A cheap guess at the person, only to spread load over partitions; None when several or nobody."""

    def handshake(self, request: InboundRequest, secrets: Sequence[str]) -> Reply | None:
        """The answer to a set-up request that is not a delivery, or None."""

    def verify(self, request: InboundRequest, secret: str, now: float) -> bool:
        """Whether the request proves knowledge of this secret at `now` (unix seconds)."""

    def parse(self, request: InboundRequest, settings: Settings_contra) -> Parsed_co:
        """What the request says, in our words; `settings` is what the source was told of zone, names and mapping."""


def is_fresh(
    timestamp: str,
    now: float,
    *,
    tolerance_seconds: float = SIGNED_TIME_TOLERANCE_SECONDS,
    per_second: int = 1,
) -> bool:
    """Whether a signed unix timestamp (plain ASCII digits) lies within the tolerance, past and future.

    per_second: 1 for timestamps in seconds, 1000 for milliseconds.
    """
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > _TIMESTAMP_DIGITS_MAX:
        return False
    return abs(now - int(timestamp) / per_second) <= tolerance_seconds


def is_same(given: str, secret: str) -> bool:
    """Whether a secret sent along is the configured one, in constant time; an empty secret is never the same."""
    return bool(secret) and hmac.compare_digest(given.encode(errors="replace"), secret.encode(errors="replace"))


def keyed_hex(signed: bytes, *, secret: str, digest: Digest = "sha256") -> str:
    """The lower-case hex HMAC of the bytes."""
    return hmac.new(secret.encode(errors="replace"), signed, digest).hexdigest()


def is_hex_signed(signed: bytes, given: str, *, secret: str, digest: Digest = "sha256") -> bool:
    """Whether `given` is the lower-case hex HMAC of `signed`, letter by letter; an empty secret signs nothing."""
    return bool(secret) and is_same(given, keyed_hex(signed, secret=secret, digest=digest))


def is_base64_signed(signed: bytes, given: str, *, secret: str, digest: Digest = "sha256") -> bool:
    """Whether `given` is the standard base64 of the HMAC of `signed`; an empty secret signs nothing."""
    expected = base64.b64encode(hmac.digest(secret.encode(errors="replace"), signed, digest)).decode()
    return bool(secret) and is_same(given, expected)


def is_dated_signed(
    body: bytes,
    header: str,
    *,
    secret: str,
    now: float,
    tolerance_seconds: float = SIGNED_TIME_TOLERANCE_SECONDS,
) -> bool:
    """Whether a header `t=…,v1=…` holds a right v1, the hex HMAC-SHA256 of `t.body`; all that are listed are tried."""
    match = _DATED.fullmatch(header)
    if match is None or not is_fresh(match[1], now, tolerance_seconds=tolerance_seconds):
        return False
    signed = f"{match[1]}.".encode() + body
    listed = (part.partition("=") for part in match[2].split(",")[1:])
    return any(name == "v1" and is_hex_signed(signed, value, secret=secret) for name, _, value in listed)


def decoded_base64(text: str) -> bytes | None:
    """The bytes of canonical standard base64, or None: a lenient decoder would accept mutated proofs."""
    try:
        encoded = text.encode("ascii")
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    return decoded if base64.b64encode(decoded) == encoded else None  # unused bits of the last sign must be zero


def is_ecdsa_p256_signed(signed: bytes, given: str, *, public_key: str) -> bool:
    """Whether `given` (base64 DER) is an ECDSA P-256/SHA-256 signature of `signed`; the key is base64 DER."""
    der, signature = decoded_base64(public_key.strip()), decoded_base64(given)
    if not der or not signature:
        return False
    try:
        key = load_der_public_key(der)
    except ValueError:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return False
    try:
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def is_rsa_signed(signed: bytes, given: str, *, certificate: str, digest: Digest) -> bool:
    """Whether `given` (base64) is an RSA PKCS#1 v1.5 signature of `signed` by the key of a PEM certificate."""
    signature = decoded_base64(given)
    if not signature:
        return False
    try:
        key = load_pem_x509_certificate(certificate.encode(errors="replace")).public_key()
    except ValueError:
        return False
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, signed, PKCS1v15(), SHA1() if digest == "sha1" else SHA256())  # noqa: S303 - theirs
    except InvalidSignature:
        return False
    return True


def is_standard_webhook(headers: Headers, body: bytes, *, secret: str, now: float) -> bool:
    """Whether a request is signed as Standard Webhooks 1.0 says: `v1` HMAC-SHA256, or `v1a` ed25519, of id.time.body.

    Header names begin with `webhook-` or `svix-`; with both, the ids must be one: another reader would take the one
    that was not signed. secret: base64 with or without `whsec_`; a public key is `whpk_` and base64. All signatures of
    the list are tried; a malformed one is skipped.
    """
    if len({headers[name] for start in _STANDARD_NAMES if headers.get(name := f"{start}-id")}) > 1:
        return False
    for start in _STANDARD_NAMES:
        message_id, timestamp = headers.get(f"{start}-id", ""), headers.get(f"{start}-timestamp", "")
        if message_id and is_fresh(timestamp, now):
            listed = headers.get(f"{start}-signature", "").split(" ")[:_SIGNATURES_MAX]
            # Without a dot in the id, nobody can move the border between id, time and body.
            signed = f"{message_id}.{timestamp}.".encode(errors="replace") + body
            return "." not in message_id and _is_listed(signed, listed, secret)
    return False


def _is_listed(signed: bytes, listed: Sequence[str], secret: str) -> bool:
    if any(one.endswith(",") and one != "v1," for one in listed):  # a doubled header, joined
        return False
    split = [one.partition(",") for one in listed]
    if secret.startswith(_PUBLIC_START):
        key = decoded_base64(secret.removeprefix(_PUBLIC_START))
        return any(_is_ed25519(signed, value, key) for version, _, value in split if version == "v1a")
    key = decoded_base64(secret.removeprefix(_SYMMETRIC_START))
    if not key:
        return False
    expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(is_same(value, expected) for version, _, value in split if version == "v1")


def _is_ed25519(signed: bytes, given: str, public_key: bytes | None) -> bool:
    signature = decoded_base64(given)
    if not signature or not public_key:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def shows_secret(headers: Headers, secret: str, *names: str) -> bool:
    """Whether a request shows the configured secret: as Basic `user:password` or password, as bearer, or in a header.

    names: headers, in lower case, in which this sender may send it; a secret written `Name: value` names its own.
    """
    authorization = headers.get("authorization", "")
    credentials = basic_credentials(authorization) or ("", "")
    name, separator, value = secret.partition(": ")
    shown = [
        *(is_same(one, secret) for one in (":".join(credentials), credentials[1])),
        is_same(bearer_token(authorization) or "", secret),
        is_same(headers.get(name.lower(), ""), value) if separator else False,
        *(is_same(headers.get(one, ""), secret) for one in names),
    ]
    return any(shown)


def bearer_token(authorization: str) -> str | None:
    """The token of `Authorization: Bearer …`, or None."""
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


def basic_credentials(authorization: str) -> tuple[str, str] | None:
    """User and password of `Authorization: Basic …`, or None when malformed."""
    scheme, _, encoded = authorization.partition(" ")
    decoded = decoded_base64(encoded.strip(" ")) if scheme.lower() == "basic" else None
    if decoded is None:
        return None
    try:
        user, separator, password = decoded.decode().partition(":")
    except UnicodeDecodeError:
        return None
    return (user, password) if separator else None
