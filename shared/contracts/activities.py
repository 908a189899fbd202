"""Topic `activities`: what a person did or took part in, as ingest understood it. Nothing personal."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Part, Payload
from shared.contracts.kinds import ActivityKind, Channel, Direction, VerifiedBy

__all__ = ["ACTIVITY_EVENTS", "ActivityCorrected", "ActivityRecorded", "Property"]


class Property(Part):
    """One property of an activity that its source maps as not personal."""

    name: str = Field(description="the sender's name of it")
    value: str = Field(description="its value as text")


class ActivityRecorded(Payload):
    """A person did something; late, repeated and corrected activities are told apart by id and times."""

    TYPE: ClassVar[str] = "baton.activity.recorded.v1"

    activity_id: UUID = Field(description="uuid5 of source and the sender's event id")
    lead_id: UUID = Field(description="root of the person's tree when it was emitted; the record's key")
    member_id: UUID = Field(description="the lead that owned the key by which the person was recognised")
    kind: ActivityKind = Field(description="closed set of kinds")
    name: str | None = Field(None, description="the sender's own name, for custom activities")
    direction: Direction = Field(description="marketing or sales")
    actor_user_id: UUID | None = Field(None, description="the user of Sales who did it")
    recorded_at: datetime = Field(description="when we learned it")
    occurred_at: datetime = Field(description="when it happened in the world")
    human: float = Field(ge=0, le=1, description="probability that a person did it, not software")
    human_reason: str | None = Field(None, description="the rule that lowered `human`")
    verified_by: VerifiedBy = Field(description="how the delivery proved where it came from")
    source_id: UUID = Field(description="the configured source")
    sender: str = Field(description="the kind of outside system")
    channel: Channel = Field(description="web, email, form, call, field_event or product")
    traffic_source: str | None = Field(None, description="where the visit came from")
    medium: str | None = Field(None, description="by which medium")
    campaign: str | None = Field(None, description="by which campaign")
    referrer_host: str | None = Field(None, description="host of the referring page")
    first_page: str | None = Field(None, description="path of the person's first page, immutable")
    page_path: str | None = Field(None, description="path of the page, without query")
    content: str | None = Field(None, description="what the page is worth: pricing, blog, case_study, ...")
    asset: str | None = Field(None, description="the file, form or webinar")
    link_host: str | None = Field(None, description="host of the clicked link")
    message_key: str | None = Field(None, description="keyed hash of the mail's message id")
    is_hard: bool | None = Field(None, description="of a bounce: the address does not work")
    duration_seconds: int | None = Field(None, ge=0, description="how long a call, visit or meeting took")
    properties: list[Property] = Field(default_factory=list, description="what the source maps as not personal")


class ActivityCorrected(Payload):
    """The judgement whether a person did it changed."""

    TYPE: ClassVar[str] = "baton.activity.corrected.v1"

    activity_id: UUID = Field(description="the activity")
    lead_id: UUID = Field(description="root of the person's tree; the record's key")
    member_id: UUID = Field(description="the member it came in for")
    human: float = Field(ge=0, le=1, description="the new probability")
    human_before: float = Field(ge=0, le=1, description="the former probability")
    human_reason: str | None = Field(None, description="the rule that decided")


ACTIVITY_EVENTS: tuple[type[Payload], ...] = (
    ActivityRecorded,
    ActivityCorrected,
)
