"""The rows of the read model as values: what the console keeps of leads, accounts, handoffs and the agreement.

Folded from events alone, so a rebuild gives the same rows. Nothing personal stands in them: names and texts are asked
of ingest when a page is rendered.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

__all__ = [
    "AccountRow",
    "AgreementRow",
    "ClockRow",
    "ConsentRow",
    "EscalationRow",
    "HandoffRow",
    "LeadRow",
    "OpportunityRow",
    "Points",
    "TimelineRow",
    "UserRow",
]


@dataclass(frozen=True, slots=True)
class Points:
    """One signed contribution to a score; of an account's score the line is a lead's id."""

    line: str
    points: int


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """What a person allowed for one purpose; a lower version never replaces a higher one."""

    version: int
    consent: str
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class LeadRow:
    """One member of a person's tree. `root_id` is the person; score and qualification stand on the root's row."""

    lead_id: UUID
    root_id: UUID
    parent_id: UUID | None = None
    identity_version: int = 0
    profile_version: int = 0
    is_known: bool = False
    is_erased: bool = False
    traits: dict[str, str] = field(default_factory=dict)
    external: tuple[tuple[str, str], ...] = ()
    account_id: UUID | None = None
    link_version: int = 0
    consents: dict[str, ConsentRow] = field(default_factory=dict)
    score_version: int = 0
    score: int | None = None
    fit: int | None = None
    engagement: int | None = None
    p_win: float | None = None
    is_qualified: bool = False
    reasons: tuple[Points, ...] = ()
    number: int = 0
    decision_id: UUID | None = None
    decision: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An organisation: what the CRM or its domain says of it, and its score over its people."""

    account_id: UUID
    link_version: int = 0
    traits: dict[str, str] = field(default_factory=dict)
    score_version: int = 0
    score: int | None = None
    people: int = 0
    engaged_people: int = 0
    is_qualified: bool = False
    reasons: tuple[Points, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One promise on one handoff as handoff last announced it."""

    clock_id: UUID
    kind: str
    due_at: datetime
    fire_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class EscalationRow:
    """One rung that fired: which clock, how far up, why, and whether our own delay caused it."""

    level: int
    cause: str
    at: datetime
    kind: str = ""
    is_late_by_system: bool = False


@dataclass(frozen=True, slots=True)
class HandoffRow:
    """One handoff as its latest event tells; `seq` orders events, a lower one is ignored."""

    handoff_id: UUID
    lead_id: UUID
    root_lead_id: UUID
    state: str
    token: int
    seq: int
    opened_at: datetime
    state_at: datetime
    account_id: UUID | None = None
    motion: str = "new_business"
    cycle: int = 1
    tier: str = "scored"
    product: str = "default"
    owner_id: UUID | None = None
    attempt: int = 1
    queue: str | None = None
    priority: int = 0
    clocks: tuple[ClockRow, ...] = ()
    escalations: tuple[EscalationRow, ...] = ()
    agreement_version: int = 1
    decision_id: UUID | None = None
    pool: str | None = None
    reason_code: str | None = None
    paused_until: datetime | None = None
    assigned_at: datetime | None = None
    accepted_at: datetime | None = None
    touched_at: datetime | None = None
    last_name: str = "opened"
    last_actor: str = "system"
    last_actor_id: UUID | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One line of a lead's history, of either team; `recorded_at` decides what an earlier day could know."""

    entry_id: UUID
    lead_id: UUID
    name: str
    occurred_at: datetime
    recorded_at: datetime
    details: dict[str, Any]
    handoff_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OpportunityRow:
    """A CRM deal; a lower object version never replaces a higher one."""

    opportunity_id: UUID
    lead_id: UUID
    system: str
    external_id: str
    crm_status: str
    result: str
    object_version: int
    occurred_at: datetime
    amount_minor: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """One published version of the agreement; `signatures` are (user id, team, when)."""

    agreement_id: str
    version: int
    effective_from: datetime
    document: dict[str, Any]
    sha256: str
    signatures: tuple[tuple[str, str, datetime], ...]
    is_unsigned_default: bool


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person who signs in. The display name is the team's own, not a lead's."""

    user_id: UUID
    user_name: str
    display_name: str
    role: str
    team_id: UUID | None = None
    is_active: bool = True
    time_zone: str = "UTC"
