"""Keyed hashes of what names a person: what identity keys, suppression and message keys are stored as."""

import hashlib
import hmac

from services.ingest.domain.keys import Key

__all__ = ["KeyedHash", "link_hash"]


class KeyedHash:
    """HMAC-SHA256 under one key, cut to 16 bytes: who has the table but not the key learns nothing."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, key: Key) -> tuple[str, bytes]:
        """(kind, hash) of an identifier, as stored."""
        return key.kind.value, hmac.digest(self._key, f"{key.kind}\x00{key.value}".encode(), "sha256")[:16]

    def message_key(self, message: str) -> str:
        """The hash by which the activities of one mail find each other."""
        return hmac.digest(self._key, f"message\x00{message}".encode(errors="replace"), "sha256")[:16].hex()


def link_hash(link: str | None) -> str:
    """A short hash that tells links of one mail apart; "" without a link."""
    return hashlib.blake2b(link.encode(errors="replace"), digest_size=8).hexdigest() if link else ""
