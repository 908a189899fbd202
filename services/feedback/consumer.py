"""Which use case takes which event; all types of a topic go to one, so that a batch is one call."""

from services.feedback.usecases.handoffs import fold_handoffs
from services.feedback.usecases.people import fold_leads, record_activities, record_scores
from shared.contracts.activities import ACTIVITY_EVENTS
from shared.contracts.handoffs import HANDOFF_EVENTS
from shared.contracts.leads import LEAD_EVENTS
from shared.contracts.scores import LeadQualified, LeadScored
from shared.stream.handlers import Handlers

__all__ = ["HANDLERS"]

HANDLERS = Handlers(
    consumer="feedback",
    table={
        **dict.fromkeys(ACTIVITY_EVENTS, record_activities),
        **dict.fromkeys(LEAD_EVENTS, fold_leads),
        **dict.fromkeys((LeadScored, LeadQualified), record_scores),
        **dict.fromkeys(HANDOFF_EVENTS, fold_handoffs),
    },
)
