"""Which use case takes which event; all types of a topic go to one, so that a batch is one call."""

from services.handoff.usecases.agreeing import take_agreements
from services.handoff.usecases.knowing import take_leads
from services.handoff.usecases.qualifying import take_scores
from services.handoff.usecases.resulting import take_outcomes
from services.handoff.usecases.touching import take_activities
from shared.contracts.activities import ActivityRecorded
from shared.contracts.agreements import AgreementPublished
from shared.contracts.leads import (
    LeadConsentChanged,
    LeadErased,
    LeadIdentified,
    LeadLinked,
    LeadMerged,
    LeadSplit,
)
from shared.contracts.outcomes import ConnectorAdvanced, DisputeRuled, OpportunityChanged, OutcomeRecorded
from shared.contracts.scores import AccountQualified, AccountScored, LeadDemoted, LeadQualified, LeadScored
from shared.stream.handlers import Handlers

__all__ = ["HANDLERS"]

HANDLERS = Handlers(
    consumer="handoff",
    table={
        ActivityRecorded: take_activities,
        LeadIdentified: take_leads,
        LeadLinked: take_leads,
        LeadConsentChanged: take_leads,
        LeadMerged: take_leads,
        LeadSplit: take_leads,
        LeadErased: take_leads,
        LeadScored: take_scores,
        LeadQualified: take_scores,
        LeadDemoted: take_scores,
        AccountScored: take_scores,
        AccountQualified: take_scores,
        OutcomeRecorded: take_outcomes,
        OpportunityChanged: take_outcomes,
        DisputeRuled: take_outcomes,
        ConnectorAdvanced: take_outcomes,
        AgreementPublished: take_agreements,
    },
)
