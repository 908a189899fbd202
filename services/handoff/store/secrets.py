"""Secrets at rest: wrapped by Fernet under the operator's keys, so that a copy of the database signs nothing."""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import Fatal

__all__ = ["Wrapping"]


class Wrapping:
    """Wraps with the first key, unwraps with any: a new key goes first, the old ones stay until all is wrapped anew."""

    def __init__(self, keys: list[bytes]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def from_file(cls, path: Path) -> "Wrapping":
        """Read the keys, one per line, the newest first. Raises Fatal when there is none or one is malformed."""
        lines = [line.strip() for line in path.read_bytes().splitlines() if line.strip()]
        try:
            return cls(lines)
        except ValueError as error:
            raise Fatal(
                "BATON_FERNET_KEY_FILE must hold Fernet keys (32 bytes, url-safe base64), one per line."
            ) from error

    def wrap(self, text: str) -> str:
        """The text under the newest key."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def unwrap(self, wrapped: str) -> str:
        """The text again. Raises Fatal when no key fits: the key file is not the one this database was written with."""
        try:
            return self._fernet.decrypt(wrapped.encode("ascii")).decode()
        except InvalidToken as error:
            raise Fatal(
                "No key of BATON_FERNET_KEY_FILE unwraps a stored secret; give the file it was wrapped with."
            ) from error
