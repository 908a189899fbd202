"""Which use case takes which event: everything about leads is one, so that a batch is one call."""

from functools import partial

from services.scoring.usecases.activate_terms import keep_agreements, keep_models
from services.scoring.usecases.score_leads import Desk, fold_events
from shared.contracts.activities import ACTIVITY_EVENTS
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Payload
from shared.contracts.handoffs import HANDOFF_EVENTS
from shared.contracts.leads import LEAD_EVENTS
from shared.contracts.models import MODEL_EVENTS
from shared.contracts.outcomes import OpportunityChanged, OutcomeRecorded
from shared.stream.handlers import Handlers

__all__ = ["handlers"]

_ABOUT_LEADS: tuple[type[Payload], ...] = (
    *ACTIVITY_EVENTS,
    *LEAD_EVENTS,
    *HANDOFF_EVENTS,
    OutcomeRecorded,
    OpportunityChanged,
)


def handlers(desk: Desk) -> Handlers:
    """The table of scoring's consumer, over what one process decides with."""
    return Handlers(
        consumer="scoring",
        table={
            **dict.fromkeys(_ABOUT_LEADS, partial(fold_events, desk=desk)),
            AgreementPublished: keep_agreements,
            **dict.fromkeys(MODEL_EVENTS, keep_models),
        },
    )
