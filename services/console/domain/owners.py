"""Which service owns which public route: the first segment after /v1 decides (DECISIONS section 5)."""

from typing import Literal

__all__ = ["OWNERS", "Owner", "owner_of"]

Owner = Literal["ingest", "scoring", "handoff", "feedback"]

OWNERS: dict[str, Owner] = {
    "leads": "ingest",
    "accounts": "ingest",
    "imports": "ingest",
    "erasures": "ingest",
    "exports": "ingest",
    "sources": "ingest",
    "senders": "ingest",
    "consent-default": "ingest",
    "scores": "scoring",
    "account-scores": "scoring",
    "score-decisions": "scoring",
    "score-simulations": "scoring",
    "handoffs": "handoff",
    "routing-decisions": "handoff",
    "routing-simulations": "handoff",
    "queues": "handoff",
    "pools": "handoff",
    "reps": "handoff",
    "teams": "handoff",
    "calendars": "handoff",
    "account-owners": "handoff",
    "endpoints": "handoff",
    "outcomes": "feedback",
    "opportunities": "feedback",
    "spend": "feedback",
    "reports": "feedback",
    "commitments": "feedback",
    "attributions": "feedback",
    "agreements": "feedback",
    "drafts": "feedback",
    "models": "feedback",
    "disputes": "feedback",
    "connectors": "feedback",
}


def owner_of(path: str) -> Owner | None:
    """The service that owns `/v1/<path>`, or None when nobody does."""
    return OWNERS.get(path.lstrip("/").partition("/")[0])
