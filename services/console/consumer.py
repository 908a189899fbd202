"""Which use case reads which event: one for all, of every topic but `deliveries` and the models' own."""

from services.console.usecases.fold import fold_events
from shared.contracts.activities import ACTIVITY_EVENTS
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Payload
from shared.contracts.handoffs import HANDOFF_EVENTS
from shared.contracts.leads import LEAD_EVENTS
from shared.contracts.outcomes import DisputeOpened, DisputeRuled, OpportunityChanged, OutcomeRecorded
from shared.contracts.scores import SCORE_EVENTS
from shared.stream.handlers import Handlers

__all__ = ["HANDLERS"]

_READ: tuple[type[Payload], ...] = (
    *ACTIVITY_EVENTS,
    *LEAD_EVENTS,
    *SCORE_EVENTS,
    *HANDOFF_EVENTS,
    OutcomeRecorded,
    OpportunityChanged,
    DisputeOpened,
    DisputeRuled,
    AgreementPublished,
)

HANDLERS = Handlers(consumer="console", table=dict.fromkeys(_READ, fold_events))
