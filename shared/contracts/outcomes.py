"""Topic `outcomes`: what became of what was handed off. Append-only: corrections supersede."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Payload

__all__ = [
    "OUTCOME_EVENTS",
    "ConnectorAdvanced",
    "DisputeOpened",
    "DisputeRuled",
    "OpportunityChanged",
    "OutcomeRecorded",
]


class OutcomeRecorded(Payload):
    """Something became of a lead."""

    TYPE: ClassVar[str] = "baton.outcome.recorded.v1"

    outcome_id: UUID = Field(description="this record")
    lead_id: UUID = Field(description="the lead")
    handoff_id: UUID | None = Field(None, description="the handoff it is about")
    what: str = Field(description="accepted, rejected, opportunity, won, lost or churned")
    reason_code: str | None = Field(None, description="an agreed reason")
    amount_minor: int | None = Field(None, description="amount in minor units")
    currency: str | None = Field(None, description="ISO 4217")
    occurred_at: datetime = Field(description="when it happened")
    recorded_at: datetime = Field(description="when we learned it")
    source: str = Field(description="handoff, api, csv or a CRM")
    object: str | None = Field(None, description="the object there")
    object_version: int | None = Field(None, description="its version there")
    supersedes: UUID | None = Field(None, description="the record it corrects")
    is_conflict: bool = Field(False, description="two sources contradict each other")
    tags: list[str] = Field(default_factory=list, description="free labels")


class OpportunityChanged(Payload):
    """A CRM deal changed; a lower object_version is ignored."""

    TYPE: ClassVar[str] = "baton.opportunity.changed.v1"

    opportunity_id: UUID = Field(description="the deal")
    lead_id: UUID = Field(description="the lead it came from")
    account_id: UUID | None = Field(None, description="the account")
    system: str = Field(description="which CRM")
    external_id: str = Field(description="its id there")
    crm_status: str = Field(description="the CRM's own status")
    result: str = Field(description="open, won or lost")
    reason_code: str | None = Field(None, description="why it was lost")
    amount_minor: int | None = Field(None, description="amount in minor units")
    currency: str | None = Field(None, description="ISO 4217")
    occurred_at: datetime = Field(description="when it happened")
    recorded_at: datetime = Field(description="when we learned it")
    object_version: int = Field(ge=1, description="version of the deal there")


class DisputeOpened(Payload):
    """A rep contests a lead."""

    TYPE: ClassVar[str] = "baton.dispute.opened.v1"

    dispute_id: UUID = Field(description="the dispute")
    handoff_id: UUID = Field(description="the handoff")
    lead_id: UUID = Field(description="the lead")
    rep_id: UUID = Field(description="who contests")
    ground: str = Field(description="an agreed reason")


class DisputeRuled(DisputeOpened):
    """Both teams ruled."""

    TYPE: ClassVar[str] = "baton.dispute.ruled.v1"

    ruling: str = Field(description="upheld or denied")
    is_credited: bool = Field(description="the fairness ledger gives the lead back")
    by_user_ids: list[UUID] = Field(description="one person of each team")


class ConnectorAdvanced(Payload):
    """A connector has reported everything up to this moment."""

    TYPE: ClassVar[str] = "baton.connector.advanced.v1"
    KEY: ClassVar[str] = "connector_id"

    connector_id: str = Field(description="the connector")
    watermark_at: datetime = Field(description="nothing older is still to come")


OUTCOME_EVENTS: tuple[type[Payload], ...] = (
    OutcomeRecorded,
    OpportunityChanged,
    DisputeOpened,
    DisputeRuled,
    ConnectorAdvanced,
)
