"""What most adapters say of two questions: their sender shakes no hands, and a delivery names no one person.

An adapter takes them as its own (`hint = quiet.hint`); one that knows better defines them.
"""

from collections.abc import Sequence

from shared.senders import InboundRequest, Reply

__all__ = ["handshake", "hint"]


def hint(request: InboundRequest) -> str | None:  # noqa: ARG001 - the protocol's form
    """Nobody: a delivery names several people, or needs no order among those of one person."""
    return None


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:  # noqa: ARG001 - the protocol's form
    """None: every request is a delivery."""
    return None
