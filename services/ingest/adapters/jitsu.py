"""Jitsu: the calls of its library, one to a request, of browsers (`/api/s/…`) and of servers (`/api/s/s2s/…`).

Source: Jitsu's public documentation of its HTTP API, and requests of its unmodified library. It never sends again, so
whatever is refused is lost; the write key in its body is masked, the true one comes as `X-Write-Key`.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters.families import segment_calls
from shared.senders import Proof, Reply

SENDER: str = "jitsu"
TITLE: str = "Jitsu"
SETUP: tuple[str, ...] = (
    "Set `host` of the library to {url}.",
    "Use `baton:{key}` as its write key: the library asks for two parts, and the second is ours.",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(200, b'{"success": true}', "application/json")
KEPT_HEADERS: tuple[str, ...] = segment_calls.KEPT_HEADERS
KINDS: Mapping[str, str] = segment_calls.KINDS
STATUSES: tuple[str, ...] = ()
_NAMES: Final = ("track", "identify", "page", "screen", "group", "alias", "batch")
PATHS: Mapping[str, str] = {f"/api/s/{part}{name}": "POST" for part in ("", "s2s/") for name in _NAMES}
HAS_CREDENTIALS: bool = False

hint, handshake, verify = segment_calls.hint, segment_calls.handshake, segment_calls.verify
outline, parse = segment_calls.outline, segment_calls.parse
