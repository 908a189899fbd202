"""The senders we understand, one module each; `ADAPTERS` finds them, so a new sender edits nothing else.

An adapter is pure: bytes in, observations out. Invariant: the name in an address is the name of exactly one module.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, cast

from services.ingest.domain.observation import Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, SenderAdapter

__all__ = ["ADAPTERS", "Adapter", "Outline"]


class Outline(NamedTuple):
    """What the door sees of a body without decoding its events: their number, those refused, a person hint."""

    events: int
    refusals: tuple[Refusal, ...] = ()
    hint: str | None = None
    key: str | None = None
    """The write key in the body, for senders that put it there."""


class Adapter(SenderAdapter[SourceSettings, Parsed], Protocol):
    """A sender's module, as ingest uses it."""

    def outline(self, request: InboundRequest) -> Outline:
        """The events of a body by number, without decoding. Raises Unreadable or TooLarge for the body as a whole."""


def _discovered() -> dict[str, Adapter]:
    found: dict[str, Adapter] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        adapter = cast("Adapter", module)
        assert module_info.name == adapter.SENDER, "an adapter's file is named like its sender"
        found[adapter.SENDER] = adapter
    return found


ADAPTERS: Final[Mapping[str, Adapter]] = _discovered()
