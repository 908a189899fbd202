"""The values of the hand-off machine: states, clocks, the handoff itself, and the policy it is decided by.

Frozen, without time and I/O: a clock here is a promise with its rungs; when it is due stands in `domain/sla.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from shared.contracts.kinds import HandoffState as State
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, UserId

__all__ = [
    "CLOSED",
    "ENDED_BY_DEALS",
    "LOADED",
    "MAY_HAVE_A_DEAL",
    "OPEN",
    "OWNED",
    "PROMISES",
    "REVOCABLE",
    "Carried",
    "Clock",
    "ClockKind",
    "ClockState",
    "Deal",
    "Handoff",
    "Policy",
    "ReasonRoute",
    "RouteWord",
    "State",
]


OPEN = frozenset({State.QUALIFIED, State.QUEUED, State.ASSIGNED, State.ACCEPTED, State.WORKING, State.OPPORTUNITY})
CLOSED = frozenset(State) - OPEN
OWNED = frozenset({State.ASSIGNED, State.ACCEPTED, State.WORKING, State.OPPORTUNITY})
ENDED_BY_DEALS = frozenset({State.WON, State.LOST})
MAY_HAVE_A_DEAL = OWNED | ENDED_BY_DEALS
LOADED = frozenset({State.ASSIGNED, State.ACCEPTED})  # what counts into a rep's load
REVOCABLE = frozenset({State.QUALIFIED, State.QUEUED, State.ASSIGNED})  # never after acceptance


class ClockKind(StrEnum):
    """The promises of DOMAIN 5.2, the pause's end, and the pull-back of 5.5."""

    ROUTE = "route"
    QUEUE = "queue"
    ACCEPT = "accept"
    TOUCH = "touch"
    DISPOSE = "dispose"
    PULL_BACK = "pull_back"
    STALE = "stale"
    ENROL = "enrol"
    COOLOFF = "cooloff"
    RESUME = "resume"


# What somebody has to do by the due instant. The others only remind, take back, or end a rest.
PROMISES = frozenset(
    {ClockKind.ROUTE, ClockKind.QUEUE, ClockKind.ACCEPT, ClockKind.TOUCH, ClockKind.DISPOSE, ClockKind.ENROL}
)


class ClockState(StrEnum):
    """A clock is armed, then ends exactly once."""

    ARMED = "armed"
    MET = "met"
    BREACHED = "breached"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Clock:
    """One armed promise. number is unique within its handoff; token is the handoff's while it is armed.

    level = rungs fired so far, on this clock and on the one it carries on after a pause.
    """

    number: int
    kind: ClockKind
    token: int
    level: int = 0
    level_at_arm: int = 0
    carries: int | None = None  # number of the clock whose remaining time it runs, after a pause


@dataclass(frozen=True, slots=True)
class Carried:
    """A clock that a pause stopped: it is armed again for its remaining time."""

    number: int
    kind: ClockKind
    level: int


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal as last told: open, won, lost, or moved to another lead. id None: told of no deal in particular."""

    id: UUID | None
    version: int
    result: str
    reason_code: str | None = None


class RouteWord(StrEnum):
    """Where a reason leads (DECISIONS 4)."""

    REROUTE = "reroute"
    NURTURE = "nurture"
    ENRICH = "enrich"
    MERGE = "merge"
    DISQUALIFY = "disqualify"
    SUPPRESS = "suppress"


@dataclass(frozen=True, slots=True)
class ReasonRoute:
    """Where one reason code leads, and the field it must come with (sub_reason, until_on, text), if any."""

    route: RouteWord
    needs: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the agreement says about one tier, as the machine needs it.

    rungs: per clock kind what each rung does, the last one at the due instant; never empty.
    """

    rungs: Mapping[ClockKind, tuple[str, ...]]
    reject: Mapping[str, ReasonRoute]
    recycle: Mapping[str, ReasonRoute]
    lost: Mapping[str, ReasonRoute]
    pause: frozenset[str]
    assignments_max: int = 3
    cycles_max_per_year: int = 4
    pauses_max: int = 1


@dataclass(frozen=True, slots=True)
class Handoff:
    """One qualification cycle of one lead for one motion: the state machine's whole state.

    clocks holds the armed ones only; attempt counts assignments ever begun; seq counts published events.
    """

    id: HandoffId
    lead_id: LeadId
    root_lead_id: LeadId
    account_id: AccountId | None
    scope_id: LeadId | AccountId
    motion: str
    product: str
    tier: str
    policy: str  # score, exploration, manual: which policy handed it off
    cycle: int
    decision_id: DecisionId
    propensity: float = 1.0
    is_hand_raiser: bool = False
    state: State = State.QUALIFIED
    token: int = 0
    seq: int = 0
    priority: int = 0
    owner_id: UserId | None = None
    former_owner_id: UserId | None = None
    attempt: int = 0
    tried: tuple[UserId, ...] = ()
    pool: str | None = None
    queue: str | None = None
    queue_reason: str | None = None
    queue_level: int = 0
    evidence: int = 1
    pauses: int = 0
    is_paused: bool = False
    carried: tuple[Carried, ...] = ()
    clocks: tuple[Clock, ...] = ()
    clocks_made: int = 0
    breached_at_token: int | None = None  # token under which the state's own clock was missed
    missed_touches: tuple[int, ...] = field(default=())  # breached touch clocks that late evidence may still turn
    result: str | None = None
    reason_code: str | None = None
    deals: tuple[Deal, ...] = ()  # by id, one each
    has_deal: bool = False
    merged_into: HandoffId | None = None  # the handoff that stayed when a merge ended this one
    is_superseded: bool = False  # a later cycle of the same scope opened
