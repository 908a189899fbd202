"""The senders we understand, one module each; `ADAPTERS` finds them, so a new sender edits nothing else.

An adapter is pure: bytes in, observations out. What several senders have in common lies in `families/`. Invariant: the
name in an address is the name of exactly one module.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, cast

from services.ingest.domain.body import gunzipped
from services.ingest.domain.observation import Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, SenderAdapter

__all__ = ["ADAPTERS", "COLLECTING", "Adapter", "CollectionAdapter", "Outline", "plain_request", "shown_once"]

_ENCODING: Final = "content-encoding"


class Outline(NamedTuple):
    """What the door sees of a body without decoding its events: their number, those refused, a person hint."""

    events: int
    refusals: tuple[Refusal, ...] = ()
    hint: str | None = None
    key: str | None = None
    """The write key in the body or the query, for senders that put it there."""
    app: str | None = None
    """The name an application gives itself, "" for none, of senders that know no keys; None: keys alone count."""
    is_single: bool = False
    """Whether the one event came alone, so that its refusal may be the answer; in a batch it would cost neighbours."""


class Adapter(SenderAdapter[SourceSettings, Parsed], Protocol):
    """A sender's module, as ingest uses it.

    A module may also say, each by its name: `BODY_BYTES_MAX` (a larger body than other webhooks), `API_URL` (the base
    of the API that it is fetched from with a token of the source), `IS_HANDSHAKE_SIGNED`, `once` (what it shows may be
    shown once), `accepts` (which of several proofs a source takes).
    """

    def outline(self, request: InboundRequest) -> Outline:
        """The events of a body by number, without decoding. Raises Unreadable or TooLarge for the body as a whole."""


class CollectionAdapter(Adapter, Protocol):
    """A sender whose libraries post to paths of ours with a key, instead of to an address of their source."""

    PATHS: Mapping[str, str]
    """Path to the method it takes there. Senders may share a path: then the key's source says whose request it is."""
    HAS_CREDENTIALS: bool
    """Whether its browser library sends cookies along: browsers then want that allowed in so many words."""


def plain_request(adapter: Adapter, request: InboundRequest) -> InboundRequest:
    """The request with its body unpacked, as an adapter reads it that does not unpack by itself.

    One that does keeps the header for it. Raises Unreadable or TooLarge as `gunzipped` does.
    """
    is_packed = request.headers.get(_ENCODING, "").strip().lower() == "gzip"
    if not is_packed or _ENCODING in adapter.KEPT_HEADERS:
        return request
    return request._replace(body=gunzipped(request.body))


def shown_once(adapter: Adapter, request: InboundRequest) -> tuple[str, bytes] | None:
    """(token, what is delivered under it) of senders whose signature covers a token alone, which is good for one body.

    Such an adapter has a function `once`; None for all others.
    """
    read = getattr(adapter, "once", None)
    return None if read is None else cast("tuple[str, bytes] | None", read(request))


def _discovered() -> dict[str, Adapter]:
    found: dict[str, Adapter] = {}
    for module_info in pkgutil.iter_modules(__path__):
        if module_info.ispkg:
            continue
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        adapter = cast("Adapter", module)
        assert module_info.name == adapter.SENDER, "an adapter's file is named like its sender"
        found[adapter.SENDER] = adapter
    return found


ADAPTERS: Final[Mapping[str, Adapter]] = _discovered()


def _collecting() -> dict[str, tuple[CollectionAdapter, ...]]:
    """Path to the adapters that take it; the one with most paths first, since its API is the one the others copy."""
    found: dict[str, list[CollectionAdapter]] = {}
    takers = [cast("CollectionAdapter", adapter) for adapter in ADAPTERS.values() if hasattr(adapter, "PATHS")]
    for adapter in sorted(takers, key=lambda one: (-len(one.PATHS), one.SENDER)):
        for path in adapter.PATHS:
            found.setdefault(path, []).append(adapter)
    return {path: tuple(adapters) for path, adapters in found.items()}


COLLECTING: Final[Mapping[str, tuple[CollectionAdapter, ...]]] = _collecting()
