"""Makes ids and secrets: uuid7 for first causes, uuid5 for everything that follows from them.

A derived id depends on its parts alone, so a re-run, a replay and a restore make the same ones (DECISIONS: "How are ids
made?").
The only module that draws random values.
"""

import hashlib
import secrets
from typing import NewType
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7

__all__ = [
    "NAMESPACE",
    "AccountId",
    "ActivityId",
    "AssignmentId",
    "ClockId",
    "DecisionId",
    "DispatchId",
    "EndpointId",
    "HandoffId",
    "LeadId",
    "TeamId",
    "UserId",
    "derived_id",
    "jitter",
    "new_id",
    "new_id_text",
    "secret_token",
]

LeadId = NewType("LeadId", UUID)
AccountId = NewType("AccountId", UUID)
ActivityId = NewType("ActivityId", UUID)
AssignmentId = NewType("AssignmentId", UUID)
ClockId = NewType("ClockId", UUID)
DecisionId = NewType("DecisionId", UUID)
DispatchId = NewType("DispatchId", UUID)
EndpointId = NewType("EndpointId", UUID)
HandoffId = NewType("HandoffId", UUID)
TeamId = NewType("TeamId", UUID)
UserId = NewType("UserId", UUID)  # a rep is a user who works leads: the same id

# Baton's own namespace, drawn once and never changed: every derived id rests on it.
NAMESPACE = UUID("5d0c7a6e-3c0b-5b5e-9a51-6b1f3f6f2c9d")
_NAMESPACE_BYTES = NAMESPACE.bytes
_SEPARATOR = "\x1f"  # a unit separator cannot occur in the parts, so ("a", "bc") and ("ab", "c") differ


def new_id() -> UUID:
    """A UUIDv7, ordered by time of making: for deliveries and what a person creates."""
    return uuid7()


def new_id_text() -> str:
    """The text of a new id, where nobody needs the object: a quarter of the work."""
    return str(uuid_utils.uuid7())


def derived_id(*parts: object) -> UUID:
    """The uuid5 of the parts' texts in our namespace: the same parts give the same id, for ever."""
    name = _SEPARATOR.join([str(part) for part in parts]).encode()
    return UUID(bytes=hashlib.sha1(_NAMESPACE_BYTES + name).digest()[:16], version=5)  # noqa: S324 - uuid5 is SHA-1


def secret_token(nbytes: int = 32) -> str:
    """A url-safe secret with nbytes (>= 16) random bytes."""
    return secrets.token_urlsafe(nbytes)


def jitter() -> float:
    """A uniform random number in [0, 1): spreads retries, decides nothing."""
    return secrets.randbelow(1 << 30) / (1 << 30)
