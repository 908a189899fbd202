"""Customer.io data pipelines: the calls its server libraries send, which are Segment's.

Source: Customer.io's public "Data Pipelines API" documentation. Its batches carry neither `sentAt` nor a write key; the
key comes as the user of Basic credentials. Mails and their clicks come by its webhook, which is a sender of its own.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters.families import segment_calls
from shared.senders import Proof, Reply

SENDER: str = "customerio_cdp"
TITLE: str = "Customer.io Data Pipelines"
SETUP: tuple[str, ...] = (
    "Set the library's host (`host`, `cdnURL`) to {url}.",
    "Use {key} as its API key (write key).",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(200, b'{"success": true}', "application/json")
KEPT_HEADERS: tuple[str, ...] = segment_calls.KEPT_HEADERS
KINDS: Mapping[str, str] = segment_calls.KINDS
STATUSES: tuple[str, ...] = ()
_NAMES: Final = ("batch", "track", "identify", "page", "screen", "group", "alias")
PATHS: Mapping[str, str] = {f"/v1/{name}": "POST" for name in _NAMES}
HAS_CREDENTIALS: bool = False

hint, handshake, verify = segment_calls.hint, segment_calls.handshake, segment_calls.verify
outline, parse = segment_calls.outline, segment_calls.parse
