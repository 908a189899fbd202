"""The effects of a decision: a closed set of frozen values that the use case carries out in the same transaction."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from services.handoff.domain.lifecycle.states import Clock, ClockKind, ClockState, Handoff
from shared.ids import HandoffId, LeadId, UserId

__all__ = [
    "Announce",
    "Announcement",
    "Ask",
    "AssignmentBegan",
    "AssignmentEnded",
    "ClockArmed",
    "ClockEnded",
    "ClockRetracted",
    "Decision",
    "Effect",
    "Escalate",
    "Notify",
    "Repointed",
    "StopAll",
    "Verdict",
]


class Verdict(StrEnum):
    """ok changed something; stale is a duplicate, late or lost race (409); invalid is not allowed here (422)."""

    OK = "ok"
    STALE = "stale"
    INVALID = "invalid"


Announcement = Literal[
    "opened",
    "attached",
    "queued",
    "assigned",
    "accepted",
    "resumed",
    "rescheduled",
    "rejected",
    "touched",
    "paused",
    "escalated",
    "retracted",
    "disposed",
    "closed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Feedback to everyone: one `handoff.*` event with its seq; only the fields of its kind are set."""

    what: Announcement
    seq: int
    reason_code: str | None = None
    sub_reason: str | None = None
    until_on: date | None = None
    until_at: datetime | None = None
    reason: str | None = None
    clock_number: int | None = None
    level: int | None = None
    is_verified: bool = True
    is_rotated: bool = False
    is_reassigned: bool = False
    touched_at: datetime | None = None
    is_late_evidence: bool = False
    disposition: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class ClockArmed:
    """A clock begins; the caller gives it its due instant. `carries` names the paused one it goes on from."""

    clock: Clock


@dataclass(frozen=True, slots=True)
class ClockEnded:
    """A clock ended, once."""

    clock: Clock
    state: ClockState


@dataclass(frozen=True, slots=True)
class ClockRetracted:
    """A breached touch clock was met by late evidence."""

    number: int


@dataclass(frozen=True, slots=True)
class Escalate:
    """A rung fired: (clock number, level) happens once; `do` is the ladder's word."""

    number: int
    kind: ClockKind
    level: int
    do: str
    is_last: bool
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class AssignmentBegan:
    """A rep owns it from now; attempt numbers the assignments of the cycle."""

    attempt: int
    rep_id: UserId


@dataclass(frozen=True, slots=True)
class AssignmentEnded:
    """Ownership ended: rejected, expired, returned, reassigned, withdrawn, revoked, rep_off, merged or closed."""

    attempt: int
    rep_id: UserId
    how: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell somebody outside the ladder: what is the template's name."""

    whom: Literal["rep", "manager", "queue_owner", "marketing"]
    what: str
    rep_id: UserId | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Work for somebody else that follows from a reason: enrich, merge (a proposal) or suppress (a command)."""

    what: Literal["enrich", "merge", "suppress"]
    lead_id: LeadId


@dataclass(frozen=True, slots=True)
class StopAll:
    """Pending dispatches about this handoff are withdrawn."""

    handoff_id: HandoffId


@dataclass(frozen=True, slots=True)
class Repointed:
    """The handoff hangs on another root now."""

    root_lead_id: LeadId


Effect = (
    Announce
    | ClockArmed
    | ClockEnded
    | ClockRetracted
    | Escalate
    | AssignmentBegan
    | AssignmentEnded
    | Notify
    | Ask
    | StopAll
    | Repointed
)


@dataclass(frozen=True, slots=True)
class Decision:
    """The machine's answer. `handoff` is the very value given unless the verdict is ok; `why` explains a refusal."""

    handoff: Handoff | None
    effects: tuple[Effect, ...] = ()
    verdict: Verdict = Verdict.OK
    why: str = ""
