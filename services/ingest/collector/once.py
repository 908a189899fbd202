"""Remembers for a while what a sender may show once only: again with the same body it is a repeat, else a forgery.

Some schemes sign a token and not the body (SENDERS 3.6): one captured proof would sign anything. In this process's
memory, best effort: behind the door the consumer remembers it as long as ids. A token counts once whatever source it
comes to: several sources may have the secret of one account, and one captured proof would be good at each.
"""

from hashlib import blake2b
from typing import Final

from services.ingest.adapters import Adapter, shown_once
from shared import clock
from shared.senders import InboundRequest

__all__ = ["ShownOnce", "shown_by"]

REMEMBERED_SECONDS: Final = 600.0  # twice as long as a signed time is good for
_REMEMBERED_MAX: Final = 100_000  # beyond it the older half is forgotten: memory is bounded, and so is this promise


def shown_by(adapter: Adapter, request: InboundRequest) -> tuple[str, bytes] | None:
    """(token, hash of what comes under it) of a request whose proof is good for one body; None for all others."""
    shown = shown_once(adapter, request)
    return None if shown is None else (shown[0], blake2b(shown[1], digest_size=16).digest())


class ShownOnce:
    """Two generations of tokens to the hash of the body; the older one falls away as a whole."""

    def __init__(self) -> None:
        self._now: dict[str, bytes] = {}
        self._before: dict[str, bytes] = {}
        self._turned_at = clock.monotonic()

    def is_forged(self, shown: tuple[str, bytes] | None) -> bool:
        """Whether a proven request shows what was shown with another body; remembers what it shows."""
        if shown is None:
            return False
        self._turn()
        token, body = shown
        known = self._now.get(token) or self._before.get(token)
        self._now[token] = known or body
        return known is not None and known != body

    def _turn(self) -> None:
        now = clock.monotonic()
        if now - self._turned_at >= REMEMBERED_SECONDS or len(self._now) >= _REMEMBERED_MAX // 2:
            self._before, self._now, self._turned_at = self._now, {}, now
