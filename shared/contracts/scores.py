"""Topic `scores`: whether a lead or account is worth a salesperson's time, and why."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Part, Payload

__all__ = [
    "SCORE_EVENTS",
    "AccountQualified",
    "AccountReason",
    "AccountScored",
    "FactValue",
    "LeadDemoted",
    "LeadQualified",
    "LeadScored",
    "ScoreLine",
    "ShadowScore",
]


class ScoreLine(Part):
    """One signed contribution; the lines of a score add up to it."""

    line: str = Field(description="the criterion, group or bin")
    points: int = Field(description="its contribution as displayed")


class FactValue(Part):
    """One fact as known at the decision."""

    name: str = Field(description="name in the catalog of facts")
    value: str = Field(description="its value as text")
    known_at: datetime = Field(description="the latest recorded_at it rests on")


class ShadowScore(Part):
    """What a challenger would have said."""

    model_id: UUID = Field(description="the challenger")
    p_win: float = Field(ge=0, le=1, description="its win probability")


class AccountReason(Part):
    """One person's contribution to an account's score."""

    lead_id: UUID = Field(description="the person")
    points: int = Field(description="the contribution")


class LeadScored(Payload):
    """A displayed number or reason of a lead changed; a lower score_version is ignored."""

    TYPE: ClassVar[str] = "baton.lead.scored.v1"

    lead_id: UUID = Field(description="root of the person's tree")
    account_id: UUID | None = Field(None, description="the account, when linked")
    score_version: int = Field(ge=1, description="grows with every emission for this lead")
    score: int = Field(ge=0, le=100, description="combined score")
    fit: int = Field(ge=0, le=100, description="who they are")
    engagement: int = Field(ge=0, le=100, description="what they do")
    p_win: float | None = Field(None, ge=0, le=1, description="calibrated win probability")
    is_qualified: bool = Field(description="state after this event")
    reasons: list[ScoreLine] = Field(description="top three contributions")
    agreement_id: str = Field(description="the agreement that decided")
    agreement_version: int = Field(ge=1, description="its version")
    model_id: UUID | None = Field(None, description="the promoted model, if one serves")


class _Decision(LeadScored):
    """What a qualification or demotion records beside the numbers."""

    decision_id: UUID = Field(description="the stored decision")
    number: int = Field(ge=1, description="counter of the lead's qualifications")
    product: str = Field(description="which product's criteria")
    policy: str = Field(description="qualified, hand_raiser, explored, manual or none")
    tier: str = Field(description="hand_raiser, list or scored")
    is_below_floor: bool = Field(False, description="a hand-raiser below the fit floor")
    propensity: float = Field(ge=0, le=1, description="chance that the policy hands this lead off")
    draw: float | None = Field(None, ge=0, le=1, description="the exploration draw")
    draw_limit: float | None = Field(None, ge=0, le=1, description="explored when the draw is below it")
    facts: list[FactValue] = Field(description="facts with known_at")
    lines: list[ScoreLine] = Field(description="all contributions")
    shadow: list[ShadowScore] = Field(default_factory=list, description="challengers")
    crossed_at: datetime = Field(description="when the threshold was crossed")
    entry_channel: str = Field(description="how the person came in")
    campaign: str | None = Field(None, description="first campaign")
    evidence: list[UUID] = Field(default_factory=list, description="up to ten activities behind it")


class LeadQualified(_Decision):
    """A lead met the criteria."""

    TYPE: ClassVar[str] = "baton.lead.qualified.v1"


class LeadDemoted(_Decision):
    """A lead fell below the lower threshold after its dwell."""

    TYPE: ClassVar[str] = "baton.lead.demoted.v1"


class AccountScored(Payload):
    """A displayed number of an account changed; a lower score_version is ignored."""

    TYPE: ClassVar[str] = "baton.account.scored.v1"
    KEY: ClassVar[str] = "account_id"

    account_id: UUID = Field(description="the account")
    score_version: int = Field(ge=1, description="grows with every emission for this account")
    score: int = Field(ge=0, le=100, description="combined score")
    fit: int = Field(ge=0, le=100, description="firmographic points")
    engagement: int = Field(ge=0, le=100, description="of its people, with breadth")
    people: int = Field(ge=0, description="known people")
    engaged_people: int = Field(ge=0, description="people above the engaged bound")
    is_qualified: bool = Field(description="state after this event")
    reasons: list[AccountReason] = Field(description="contributions by person")
    agreement_id: str = Field(description="the agreement that decided")
    agreement_version: int = Field(ge=1, description="its version")


class AccountQualified(AccountScored):
    """An account met the criteria."""

    TYPE: ClassVar[str] = "baton.account.qualified.v1"

    lead_id: UUID = Field(description="the most engaged person with consent, to be handed off")
    decision_id: UUID = Field(description="the stored decision")
    number: int = Field(ge=1, description="counter of the account's qualifications")
    product: str = Field(description="which product's criteria")


SCORE_EVENTS: tuple[type[Payload], ...] = (
    LeadScored,
    LeadQualified,
    LeadDemoted,
    AccountScored,
    AccountQualified,
)
