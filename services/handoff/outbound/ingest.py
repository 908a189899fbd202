"""What ingest is asked to do because of a decision here: withdraw the consent of somebody who must not be contacted.

A command over the internal port; ingest makes a repeat harmless.
"""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from services.handoff.domain.dispatch import Answer, Outcome
from shared.errors import AppError

__all__ = ["IngestClient", "Withdrawal", "render", "send"]

Withdrawal = Mapping[str, Any]


class IngestClient(Protocol):
    """The client of ingest's internal port."""

    async def call(self, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON of another service
        """Send one request; raises AppError for any answer but 2xx."""


def render(lead_id: UUID) -> Withdrawal:
    """The command: this person said that we must not contact them."""
    return {"lead_id": str(lead_id), "wording": "a rep was told not to contact this person"}


async def send(withdrawal: Withdrawal, client: IngestClient) -> Answer:
    """One attempt; what ingest refuses for good is not tried again."""
    try:
        await client.call("POST", "/internal/withdrawals", json=dict(withdrawal))
    except AppError as error:
        outcome = Outcome.UNANSWERED if error.retryable else Outcome.NOT_SENT
        return Answer(outcome, status=error.status, error=error.problem)
    return Answer(Outcome.DELIVERED, status=200)
