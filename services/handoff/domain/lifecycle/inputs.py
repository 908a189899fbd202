"""The inputs of the hand-off machine: every row of DOMAIN 5.3 as one frozen value.

Commands carry the token seen, clock messages the token they were armed at; messages from topics carry none and are made
idempotent by versions. Facts a guard needs (is the rep on, is there room) are read by the caller under its locks.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from services.handoff.domain.things import SYSTEM, Actor
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, UserId

__all__ = [
    "Accept",
    "Attach",
    "CrmResult",
    "Disposal",
    "Dispose",
    "Enrol",
    "Fire",
    "Input",
    "LateEvidence",
    "Merge",
    "NoRoute",
    "Opening",
    "Pause",
    "Pull",
    "Qualify",
    "Reason",
    "Reassign",
    "Reject",
    "RepOff",
    "Repoint",
    "Reschedule",
    "Resume",
    "Revoke",
    "Route",
    "Split",
    "Step",
    "Supersede",
    "Touch",
    "Withdraw",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    actor: Actor = SYSTEM
    token: int | None = None
    missed: tuple[int, ...] = ()  # armed clocks whose due instant lies before the act: it cannot meet them any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a new cycle starts from; the id is derived from (root lead, motion, cycle) by the caller."""

    id: HandoffId
    lead_id: LeadId
    root_lead_id: LeadId
    account_id: AccountId | None
    scope_id: LeadId | AccountId
    motion: str
    product: str
    tier: str
    policy: str
    cycle: int
    decision_id: DecisionId
    priority: int = 0
    propensity: float = 1.0
    is_hand_raiser: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualify(_Base):
    """The lead met the criteria: opens a cycle."""

    opening: Opening
    cycles_this_year: int = 0
    has_consent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach(_Base):
    """The lead, or another one of the scope, qualified again while a cycle is open: evidence and priority."""

    decision_id: DecisionId
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(_Base):
    """Taken back before acceptance (demoted, or by Marketing)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(_Base):
    """Routing found a rep, for a new handoff or for one that waits in a queue."""

    rep_id: UserId
    decision_id: DecisionId
    pool: str | None = None
    is_rotated: bool = False
    is_on: bool = True
    has_room: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoute(_Base):
    """Routing found nobody: the queue it waits in, and why."""

    queue: str
    reason: str
    pool: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull(_Base):
    """A rep takes a queued handoff."""

    rep_id: UserId
    is_on: bool = True
    has_room: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept(_Base):
    """The owner takes it."""

    by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason code with the fields it may need; the text itself stays with the caller."""

    code: str
    sub_reason: str | None = None
    until_on: date | None = None
    has_text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(_Base):
    """The owner returns it unworked."""

    by: UserId
    reason: Reason | None
    pressed_at: datetime | None = None  # when the rep decided; now when None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire(_Base):
    """A clock message: the rung after `level` of clock `number` is due."""

    number: int
    level: int
    is_verified: bool = True  # false: the evidence gap was held for its limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch(_Base):
    """A human try of the owner's side, after the assignment began."""

    touched_at: datetime | None = None
    is_in_time: bool = True  # not after the due instant of the clock it would stop
    is_owners_side: bool = True  # made by the owner or somebody of its team


@dataclass(frozen=True, slots=True, kw_only=True)
class LateEvidence(_Base):
    """A touch that was in time for touch clock `number`, learned after its breach."""

    number: int
    touched_at: datetime | None = None


Disposal = Literal["opportunity", "recycle", "disqualify", "return"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispose(_Base):
    """The recorded end of working it; by the owner, or by the CRM (`by` None) when a deal was opened."""

    by: UserId | None
    how: Disposal
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(_Base):
    """The owner stops the clocks until an instant."""

    by: UserId
    reason_code: str
    until_at: datetime | None = None
    is_within_limit: bool = True  # until_at <= the agreed business days from now, and after now


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(_Base):
    """The owner goes on before the pause ends."""

    by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign(_Base):
    """A manager gives it to another rep, over capacity if need be."""

    rep_id: UserId
    is_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RepOff(_Base):
    """A rep went away or into an absence."""

    rep_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmResult(_Base):
    """What is said of one deal, by its version: a lower or equal one does nothing; None is no deal in particular.

    moved: the deal is another lead's now.
    """

    result: Literal["open", "won", "lost", "moved"]
    version: int
    deal_id: UUID | None = None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(_Base):
    """Consent withdrawn, lead erased, or suppressed."""

    reason: str = "consent_withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(_Base):
    """Its lead merged into one whose open handoff is further: this one ends."""

    into: HandoffId
    root_lead_id: LeadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Repoint(_Base):
    """The person behind it has another root now (merge or split); nobody's work stops."""

    root_lead_id: LeadId
    scope_id: LeadId | AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule(_Base):
    """A calendar or an outage moved the due instants of its clocks: before and after, by clock number.

    why `turns`: too many left its owner after an outage; of the clock named the next firing moved, the promise did not.
    """

    why: str
    before: tuple[tuple[int, str], ...] = ()
    after: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(_Base):
    """The merge that ended it was undone; is_scope_free says whether nothing else is open in its scope."""

    root_lead_id: LeadId
    scope_id: LeadId | AccountId
    is_scope_free: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol(_Base):
    """Marketing put the lead into a nurture programme."""

    programme: str | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede(_Base):
    """A later cycle opened: what still runs for this closed one ends."""


# What may happen to a handoff that there is; a qualification makes one.
Step = (
    Attach
    | Revoke
    | Route
    | NoRoute
    | Pull
    | Accept
    | Reject
    | Fire
    | Touch
    | LateEvidence
    | Dispose
    | Pause
    | Resume
    | Reassign
    | RepOff
    | CrmResult
    | Withdraw
    | Merge
    | Repoint
    | Reschedule
    | Split
    | Enrol
    | Supersede
)
Input = Qualify | Step
