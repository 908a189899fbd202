"""Decides which events an endpoint is sent: its types, pools and products, and what the person's consent allows.

Knows no address and no secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.catalog import CATALOG
from shared.ids import EndpointId

__all__ = ["OFFERED_TYPES", "TEST_TYPE", "Subscription", "wants"]

# The types of these topics and no others leave for endpoints (SENDERS 9).
_OFFERED_TOPICS = frozenset({"leads", "scores", "handoffs", "outcomes"})
OFFERED_TYPES = frozenset(row.event_type for row in CATALOG if row.topic in _OFFERED_TOPICS)
# What a test sends; every endpoint gets it, whatever it chose.
TEST_TYPE = "baton.endpoint.tested.v1"
# The news that somebody was erased or withdrew must leave although nothing else about that person may.
_ALWAYS_TOLD = frozenset({"baton.lead.erased.v1", "baton.lead.consent_changed.v1"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one endpoint chose; an empty choice means all. is_sharing: it belongs to somebody else than us."""

    id: EndpointId
    types: frozenset[str] = field(default_factory=frozenset)
    pools: frozenset[str] = field(default_factory=frozenset)
    products: frozenset[str] = field(default_factory=frozenset)
    is_sharing: bool = False
    is_enabled: bool = True


def wants(
    subscription: Subscription,
    event_type: str,
    data: Mapping[str, Any],
    *,
    pool: str | None,
    consents: Mapping[str, bool],
    is_erased: bool = False,
) -> bool:
    """Whether the endpoint is sent this event.

    pool: of the handoff the event is about. consents: per purpose whether it is allowed; a missing purpose was never
    decided, and an event of a qualified lead says that it was allowed (DOMAIN 4). Source: SECURITY 8, table of consent.
    """
    if subscription.types and event_type not in subscription.types:
        return False
    if subscription.pools and pool not in subscription.pools:
        return False
    if subscription.products and data.get("product") not in subscription.products:
        return False
    if event_type in _ALWAYS_TOLD:
        return True
    if is_erased or not consents.get("profiling", True):
        return False
    return consents.get("sharing", True) or not subscription.is_sharing
