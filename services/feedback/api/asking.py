"""What the check of a draft asks other services: scoring for the examples, handoff for the reps that pools name.

Each wait is bounded, and a service that does not answer is an error of the check, never a pass.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.feedback.domain.agreement.checks import Classified, members_of
from shared.contracts.agreement import Agreement
from shared.web.service_client import ServiceClient

__all__ = ["classify", "known_reps_of"]

CLASSIFY_SECONDS = 10.0
KNOWN_REPS_SECONDS = 5.0


async def known_reps_of(handoff: ServiceClient, agreement: Agreement) -> frozenset[UUID]:
    """The members of the draft's pools whom handoff knows; without any nobody is asked."""
    members = members_of(agreement)
    if not members:
        return frozenset()
    body = {"rep_ids": [str(each) for each in members]}
    answer = await handoff.call("POST", "/internal/known-reps", json=body, timeout_seconds=KNOWN_REPS_SECONDS)
    return frozenset(UUID(each) for each in answer["rep_ids"])


async def classify(scoring: ServiceClient, document: str) -> list[Classified]:
    """How scoring classifies the draft's examples."""
    answer = await scoring.call(
        "POST", "/internal/classify", json={"document": document}, timeout_seconds=CLASSIFY_SECONDS
    )
    products: Sequence[Mapping[str, Any]] = answer["products"]
    return [
        Classified(
            product=str(product["product"]),
            position=position,
            expected=bool(each["expected"]),
            actual=bool(each["is_qualified"]),
            score=int(each["score"]),
        )
        for product in products
        for position, each in enumerate(product["examples"])
    ]
