"""What people sign in with: their mail address, which messages and the CRM know them by."""

import re

__all__ = ["is_mail_address"]

_LENGTH_MAX = 200
# One address without a display name; what a mail server may refuse beyond that is its business.
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}")


def is_mail_address(text: str) -> bool:
    """Whether a text in lower case is one plain mail address."""
    return len(text) <= _LENGTH_MAX and _ADDRESS.fullmatch(text) is not None
