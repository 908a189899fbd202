"""Which use case reads which event: one for all, of every topic but `deliveries` and the models' own."""

from services.console.usecases.fold import fold_events
from shared.contracts.activities import ActivityCorrected, ActivityRecorded
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Payload
from shared.contracts.handoffs import HANDOFF_EVENTS
from shared.contracts.leads import (
    LeadConsentChanged,
    LeadErased,
    LeadIdentified,
    LeadLinked,
    LeadMerged,
    LeadSplit,
)
from shared.contracts.outcomes import DisputeOpened, DisputeRuled, OpportunityChanged, OutcomeRecorded
from shared.contracts.scores import AccountQualified, AccountScored, LeadDemoted, LeadQualified, LeadScored
from shared.stream.handlers import Handlers

__all__ = ["handlers"]

_READ: tuple[type[Payload], ...] = (
    ActivityRecorded,
    ActivityCorrected,
    LeadIdentified,
    LeadMerged,
    LeadSplit,
    LeadLinked,
    LeadConsentChanged,
    LeadErased,
    LeadScored,
    LeadQualified,
    LeadDemoted,
    AccountScored,
    AccountQualified,
    *HANDOFF_EVENTS,
    OutcomeRecorded,
    OpportunityChanged,
    DisputeOpened,
    DisputeRuled,
    AgreementPublished,
)


def handlers() -> Handlers:
    """The consumer's table."""
    return Handlers("console", dict.fromkeys(_READ, fold_events))
