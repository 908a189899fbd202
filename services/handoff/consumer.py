"""Which use case takes which event; all types of a topic go to one, so that a batch is one call."""

from services.handoff.domain.evidence import names_no_actor
from services.handoff.usecases.agreeing import take_agreements
from services.handoff.usecases.knowing import take_leads
from services.handoff.usecases.qualifying import take_scores
from services.handoff.usecases.resulting import take_outcomes
from services.handoff.usecases.touching import take_activities
from shared.contracts.activities import ActivityRecorded
from shared.contracts.agreements import AgreementPublished
from shared.contracts.leads import LEAD_EVENTS
from shared.contracts.outcomes import ConnectorAdvanced, DisputeRuled, OpportunityChanged, OutcomeRecorded
from shared.contracts.scores import SCORE_EVENTS
from shared.stream.handlers import Handlers

__all__ = ["HANDLERS"]

HANDLERS = Handlers(
    consumer="handoff",
    table={
        ActivityRecorded: take_activities,
        **dict.fromkeys(LEAD_EVENTS, take_leads),
        **dict.fromkeys(SCORE_EVENTS, take_scores),
        **dict.fromkeys((OutcomeRecorded, OpportunityChanged, DisputeRuled, ConnectorAdvanced), take_outcomes),
        AgreementPublished: take_agreements,
    },
    skips={ActivityRecorded: names_no_actor},  # page views, of which there are a hundred a touch
)
