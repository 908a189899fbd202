"""Which use case handles which event: everything about leads is one use case, so that a batch is one call."""

from collections.abc import Sequence
from typing import Any

from services.scoring.usecases.activate_terms import keep_agreements, keep_models
from services.scoring.usecases.score_leads import Desk, fold_events
from shared.contracts.activities import ActivityCorrected, ActivityRecorded
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event, Payload
from shared.contracts.handoffs import HANDOFF_EVENTS
from shared.contracts.leads import (
    LeadConsentChanged,
    LeadErased,
    LeadIdentified,
    LeadLinked,
    LeadMerged,
    LeadSplit,
)
from shared.contracts.models import ModelPromoted, ModelPublished, ModelRolledBack
from shared.contracts.outcomes import OpportunityChanged, OutcomeRecorded
from shared.db.engine import Tx
from shared.stream.handlers import Handlers

__all__ = ["LEAD_EVENTS", "handlers"]

LEAD_EVENTS: tuple[type[Payload], ...] = (
    ActivityRecorded,
    ActivityCorrected,
    LeadIdentified,
    LeadMerged,
    LeadSplit,
    LeadLinked,
    LeadConsentChanged,
    LeadErased,
    *HANDOFF_EVENTS,
    OutcomeRecorded,
    OpportunityChanged,
)


def handlers(desk: Desk) -> Handlers:
    """The table of scoring's consumer."""

    async def fold(tx: Tx, received: Sequence[Event[Any]]) -> None:
        await fold_events(tx, received, desk=desk)

    return Handlers(
        consumer="scoring",
        table={
            **dict.fromkeys(LEAD_EVENTS, fold),
            AgreementPublished: keep_agreements,
            ModelPublished: keep_models,
            ModelPromoted: keep_models,
            ModelRolledBack: keep_models,
        },
    )
