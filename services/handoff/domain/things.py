"""The values that handoff decides about: leads, reps and pools as seen here, what routing is asked and answers.

Shared by lifecycle, sla, routing, assignment and store. Holds no rule of its own; every value is frozen and without
personal data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.contracts.kinds import Actor as ActorKind
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, TeamId, UserId

__all__ = [
    "SYSTEM",
    "Actor",
    "ActorKind",
    "Candidate",
    "LeadView",
    "Member",
    "Need",
    "OpenHandoff",
    "Pool",
    "QueueName",
    "Rep",
    "RouteResult",
    "RoutedRound",
    "RoutingInput",
    "RuleAnswer",
]


class QueueName(StrEnum):
    """The waiting places every deployment has; pull queues of the agreement have names of their own."""

    UNROUTED = "unrouted"  # no rule named a pool or a rep
    NO_ELIGIBLE_REP = "no_eligible_rep"  # a pool was named, and nobody in it may take it now: served by freed load
    OVERFLOW = "overflow"  # assignments used up: waits for a person
    MANUAL_REVIEW = "manual_review"  # hand-raiser below the fit floor: waits for a person


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: its kind, and the user id where there is one."""

    kind: ActorKind
    id: UserId | None = None


SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True)
class LeadView:
    """A lead as handoff knows it; facts are text values by name, booleans as 'true' and 'false'.

    `facts` hold what rules and tier conditions read: is_hand_raiser, entry_channel, product, country, language,
    title_level, department, industry, staff_band, is_target, score, fit, engagement, policy; absent when unknown.
    """

    id: LeadId
    root_id: LeadId
    account_id: AccountId | None = None
    is_suppressed: bool = False
    has_consent: bool = True
    is_erased: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rep:
    """A rep at the moment of routing. `is_on` = active, not away, not in an absence now; `why_off` says which when not.

    load = handoffs assigned and accepted; skills and languages are lower-case words.
    """

    id: UserId
    team_id: TeamId | None
    is_on: bool
    why_off: str | None = None  # away, absence, inactive
    load: int = 0
    holding: tuple[HandoffId, ...] = ()  # the handoffs that make up the load: who went before a lead that must wait
    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    calendar: str = "default"


@dataclass(frozen=True, slots=True)
class Member:
    """A rep's place in one pool: the agreement's numbers and the ledger's row.

    weight > 0; received, credited and entitled are the fairness ledger (never reset; entitled in parts of
    fairness.UNIT); taken_30_days counts the rep's assignments of the last 30 days.
    """

    pool: str
    rep_id: UserId
    weight: int = 1
    load_max: int = 5
    leads_per_30_days: int = 30
    received: int = 0
    credited: int = 0
    entitled: int = 0
    taken_30_days: int = 0
    is_member: bool = True  # false: left the pool; its ledger stays


@dataclass(frozen=True, slots=True)
class Pool:
    """The reps among whom a rule picks. sequence grows by one with every pick (the ledger's own order)."""

    name: str
    members: tuple[Member, ...]  # sorted by rep_id
    skills: tuple[str, ...] = ()
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class OpenHandoff:
    """Another open handoff of the same scope and motion, as the attach rule sees it."""

    id: HandoffId
    owner_id: UserId | None
    state: str


@dataclass(frozen=True, slots=True)
class Need:
    """One handoff that needs a rep now."""

    decision_id: DecisionId
    handoff_id: HandoffId
    lead: LeadView
    product: str
    tier: str
    priority: int  # higher goes first; hand-raisers are above all others
    waiting_since: datetime
    is_hand_raiser: bool = False
    policy: str = "score"
    propensity: float = 1.0
    tried: tuple[UserId, ...] = ()  # reps that had it in this cycle
    preferred: UserId | None = None  # the former owner after a split
    account_owner: UserId | None = None
    open_handoff: OpenHandoff | None = None
    is_waiting: bool = False  # stands in a queue: served before new ones; a queue again as its result changes nothing

    @property
    def about(self) -> HandoffId:
        """The handoff that its decision is kept with: the open one, where there is one."""
        return self.handoff_id if self.open_handoff is None else self.open_handoff.id


@dataclass(frozen=True, slots=True)
class RoutingInput:
    """All that one routing round reads: needs, locked pools, reps, and the agreement's routing section.

    `routing` is the agreement's section as a plain JSON value; `agreement_version` says which.
    """

    now: datetime
    agreement_id: str
    agreement_version: int
    routing: Mapping[str, Any]
    needs: tuple[Need, ...]  # the order in which they are served
    pools: Mapping[str, Pool]
    reps: Mapping[UserId, Rep]


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule said of one need: result is assign, pool, queue, attach or pass; the reason is a sentence part."""

    rule: str
    result: str
    reason: str
    pool: str | None = None
    rep_id: UserId | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rep that was looked at; `exclusion` (away, absence, full, tried, skill, …) is None when eligible."""

    rep_id: UserId
    pool: str | None
    exclusion: str | None
    load: int
    received: int = 0
    entitled: float = 0.0  # leads


@dataclass(frozen=True, slots=True)
class RouteResult:
    """The answer for one need: exactly one of rep_id, queue and attach_to is set, or is_refused (suppressed).

    record is the decision record's JSON value: inputs, versions, candidates and exclusions, enough to recompute it.
    """

    need: Need
    rep_id: UserId | None
    queue: str | None
    reason: str
    pool: str | None
    is_rotated: bool  # picked by the pool's rotation, not by a rule that names one rep
    attach_to: HandoffId | None = None
    is_refused: bool = False
    queue_owner: str | None = None
    rules: tuple[RuleAnswer, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    served_before: tuple[HandoffId, ...] = ()  # who went first in this round when nobody was left
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoutedRound:
    """What `routing.route(RoutingInput) -> RoutedRound` answers: one result per need, in order, and the pools after.

    `pools` are those whose ledger or sequence changed; the caller saves them under the pool lock it holds.
    """

    results: tuple[RouteResult, ...]
    pools: Mapping[str, Pool] = field(default_factory=dict)
