"""Topic `leads`: who is who. Keyed by the lead that changes; carries attributes that are not personal."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Part, Payload
from shared.contracts.kinds import Consent, ConsentPurpose

__all__ = [
    "LEAD_EVENTS",
    "PROFILE_ATTRIBUTES",
    "ExternalId",
    "LeadConsentChanged",
    "LeadErased",
    "LeadIdentified",
    "LeadLinked",
    "LeadMerged",
    "LeadSplit",
]


class ExternalId(Part):
    """The id of the lead in another system."""

    system: str = Field(description="crm or product name")
    id: str = Field(description="the id there")


class LeadIdentified(Payload):
    """A lead exists, or its derived attributes changed; a lower profile_version is ignored."""

    TYPE: ClassVar[str] = "baton.lead.identified.v1"

    lead_id: UUID = Field(description="the lead")
    profile_version: int = Field(ge=1, description="grows with every change of the profile")
    is_known: bool = Field(description="known by more than an anonymous id")
    title_level: str | None = Field(None, description="c_level, vp, director, manager, staff, student, other")
    department: str | None = Field(None, description="buying, it, finance, ...")
    country: str | None = Field(None, description="ISO 3166-1 alpha-2")
    language: str | None = Field(None, description="ISO 639-1")
    time_zone: str | None = Field(None, description="IANA zone")
    mail_domain_kind: str | None = Field(None, description="free, company, education, disposable")
    entry_channel: str | None = Field(None, description="channel of the first activity or import")
    traffic_source: str | None = Field(None, description="of the first activity, immutable")
    medium: str | None = Field(None, description="of the first activity, immutable")
    campaign: str | None = Field(None, description="of the first activity, immutable")
    external: list[ExternalId] = Field(default_factory=list, description="ids in other systems")


class LeadMerged(Payload):
    """A tree was joined under another root; a lower identity_version is ignored."""

    TYPE: ClassVar[str] = "baton.lead.merged.v1"

    lead_id: UUID = Field(description="the member that moves")
    into_lead_id: UUID = Field(description="the root it now belongs to")
    root_lead_id: UUID = Field(description="root after the merge")
    identity_version: int = Field(ge=1, description="version of the moving member's pointer")
    reason: str = Field(description="verified_email, crm_id, became_known or command")
    by_user_id: UUID | None = Field(None, description="who commanded it")


class LeadSplit(Payload):
    """A member left its tree again."""

    TYPE: ClassVar[str] = "baton.lead.split.v1"

    lead_id: UUID = Field(description="the member that moves")
    from_lead_id: UUID = Field(description="the root it leaves")
    root_lead_id: UUID = Field(description="its own root after the split")
    identity_version: int = Field(ge=1, description="version of the moving member's pointer")
    reason: str = Field(description="command")
    by_user_id: UUID | None = Field(None, description="who commanded it")


class LeadLinked(Payload):
    """A lead belongs to an account; a lower link_version is ignored."""

    TYPE: ClassVar[str] = "baton.lead.linked.v1"

    lead_id: UUID = Field(description="the lead")
    account_id: UUID = Field(description="the account")
    link_version: int = Field(ge=1, description="grows with every change of the link")
    by: str = Field(description="domain, crm, company_name or command")
    domain: str | None = Field(None, description="the account's mail domain")
    account_name: str | None = Field(None, description="of CRM or domain, never the typed text")
    industry: str | None = Field(None, description="of CRM or import")
    staff_band: str | None = Field(None, description="1-10, 11-50, 51-200, 201-1000, 1001-5000, 5000+")
    country: str | None = Field(None, description="ISO 3166-1 alpha-2")
    is_target: bool | None = Field(None, description="in a target industry")
    is_competitor: bool | None = Field(None, description="a competitor of ours")
    is_customer: bool | None = Field(None, description="a customer already")


class LeadConsentChanged(Payload):
    """The permission for one purpose changed, or its meaning did; a lower consent_version is ignored."""

    TYPE: ClassVar[str] = "baton.lead.consent_changed.v1"

    lead_id: UUID = Field(description="the lead; holds for its whole tree when withdrawn")
    consent_version: int = Field(ge=1, description="grows with every change, per lead and purpose")
    purpose: ConsentPurpose = Field(description="profiling, contact or sharing")
    consent: Consent = Field(description="granted, unknown or withdrawn")
    is_allowed: bool = Field(description="the result: may be scored and routed")
    is_gpc: bool = Field(False, description="Sec-GPC was sent")
    source_id: UUID | None = Field(None, description="where it was given")
    wording_sha256: str | None = Field(None, description="hash of the text the person saw")


class LeadErased(Payload):
    """A person was erased: forget names and texts, keep ids, sums and decisions."""

    TYPE: ClassVar[str] = "baton.lead.erased.v1"

    lead_id: UUID = Field(description="the root; the record's key")
    lead_ids: list[UUID] = Field(description="all members")


LEAD_EVENTS: tuple[type[Payload], ...] = (
    LeadIdentified,
    LeadMerged,
    LeadSplit,
    LeadLinked,
    LeadConsentChanged,
    LeadErased,
)

# What `lead.identified` says of a person beside ids and versions; each is absent until it is known.
PROFILE_ATTRIBUTES: tuple[str, ...] = tuple(
    name for name, field in LeadIdentified.model_fields.items() if not field.is_required() and name != "external"
)
