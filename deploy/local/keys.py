"""Makes the keys of a local stack once: a key pair per service and for the command, and the keys that wrap secrets.

Private files have mode 0600. Production mounts the same files (DECISIONS 3). Invariant: a key that exists is never
made anew, since stored secrets and identity hashes rest on it.
"""

import base64
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from shared.config import SERVICES
from shared.ids import secret_token

__all__ = ["COMMAND", "make_keys", "variables_of_keys"]

COMMAND = "cli"  # the issuer name of the `baton` command


def make_keys(folder: Path) -> None:
    """Fill the folder with whatever is missing."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for service in (*SERVICES, COMMAND):
        file = folder / f"{service}.pem"
        if not file.exists():
            key = Ed25519PrivateKey.generate()
            _write(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"{service}.pub.pem").write_bytes(public)
    public_keys = {service: (folder / f"{service}.pub.pem").read_text() for service in (*SERVICES, COMMAND)}
    (folder / "service_keys.json").write_text(json.dumps(public_keys, indent=2) + "\n")
    for name in ("fernet", "hint"):
        file = folder / f"{name}.key"
        if not file.exists():
            # A Fernet key is 32 bytes in url-safe base64 with its padding; the other may look the same.
            raw = base64.urlsafe_b64decode(secret_token(32) + "=")
            _write(file, base64.urlsafe_b64encode(raw) + b"\n")


def variables_of_keys(folder: Path) -> dict[str, str]:
    """The environment variables by which services find their keys."""
    return {
        "BATON_SERVICE_KEYS_FILE": str(folder / "service_keys.json"),
        "BATON_FERNET_KEY_FILE": str(folder / "fernet.key"),
        "BATON_HINT_KEY_FILE": str(folder / "hint.key"),
        **{f"BATON_{service.upper()}_SIGNING_KEY_FILE": str(folder / f"{service}.pem") for service in SERVICES},
    }


def _write(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)


if __name__ == "__main__":
    make_keys(Path(sys.argv[1]))
