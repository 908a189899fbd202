"""Segment: its HTTP Tracking API, single calls and batches, of servers and of browsers.

Source: Segment's public "HTTP Tracking API Source" documentation, and requests recorded from unmodified libraries.
`track` becomes a kind by the table of names; identify, group and alias are identity operations.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters.families import segment_calls
from shared.senders import Proof, Reply

SENDER: str = "segment"
TITLE: str = "Segment"
SETUP: tuple[str, ...] = (
    "Keep your Segment library and its calls; nothing is to be changed in Segment itself.",
    "Set the library's host (`apiHost`, `host`, `endpoint`) to {url}.",
    "Use {key} as its write key.",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(200, b'{"success": true}', "application/json")
KEPT_HEADERS: tuple[str, ...] = segment_calls.KEPT_HEADERS
KINDS: Mapping[str, str] = segment_calls.KINDS
STATUSES: tuple[str, ...] = ()
_NAMES: Final = ("batch", "track", "identify", "page", "screen", "group", "alias", "b", "p", "i", "t", "g", "a")
PATHS: Mapping[str, str] = {f"/v1/{name}": "POST" for name in _NAMES}
HAS_CREDENTIALS: bool = False

hint, handshake, verify = segment_calls.hint, segment_calls.handshake, segment_calls.verify
outline, parse = segment_calls.outline, segment_calls.parse
