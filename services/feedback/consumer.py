"""Which event types feedback reads, and the use case of each."""

from services.feedback.usecases.handoffs import fold_handoffs
from services.feedback.usecases.people import fold_leads, record_activities, record_scores
from shared.contracts.activities import ActivityCorrected, ActivityRecorded
from shared.contracts.handoffs import HANDOFF_EVENTS
from shared.contracts.leads import LeadConsentChanged, LeadErased, LeadIdentified, LeadLinked, LeadMerged, LeadSplit
from shared.contracts.scores import LeadQualified, LeadScored
from shared.stream.handlers import Handlers

HANDLERS = Handlers(
    consumer="feedback",
    table={
        ActivityRecorded: record_activities,
        ActivityCorrected: record_activities,
        LeadIdentified: fold_leads,
        LeadMerged: fold_leads,
        LeadSplit: fold_leads,
        LeadLinked: fold_leads,
        LeadConsentChanged: fold_leads,
        LeadErased: fold_leads,
        LeadScored: record_scores,
        LeadQualified: record_scores,
        **dict.fromkeys(HANDOFF_EVENTS, fold_handoffs),
    },
)
