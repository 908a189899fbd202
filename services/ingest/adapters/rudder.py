"""RudderStack: the data plane's HTTP API, which takes Segment's calls, of its server and browser libraries.

Source: RudderStack's public "HTTP API" documentation, and requests of its unmodified libraries. Its libraries resend on
anything but exactly 200. A browser told to use beacons puts its key into the query. Node says
`application/x-www-form-urlencoded` over gzipped JSON: no content type is believed.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters.families import segment_calls
from shared.senders import Proof, Reply

SENDER: str = "rudder"
TITLE: str = "RudderStack"
SETUP: tuple[str, ...] = (
    "Set `dataPlaneUrl` of the library (in browsers `configUrl`, too) to {url}; the control plane is not needed.",
    "Use {key} as its write key.",
)
PROOF: Proof = "key"
REPLY: Reply = Reply(200, b'{"success": true}', "application/json")
KEPT_HEADERS: tuple[str, ...] = segment_calls.KEPT_HEADERS
KINDS: Mapping[str, str] = segment_calls.KINDS
STATUSES: tuple[str, ...] = ()
_NAMES: Final = ("batch", "track", "identify", "page", "screen", "group", "alias")
PATHS: Mapping[str, str] = {f"/v1/{name}": "POST" for name in _NAMES} | {"/beacon/v1/batch": "POST"}
HAS_CREDENTIALS: bool = False

hint, handshake, verify = segment_calls.hint, segment_calls.handshake, segment_calls.verify
outline, parse = segment_calls.outline, segment_calls.parse
