"""The document both teams sign: its shape, its defaults, how it is read and made canonical. Data, never code.

Every field has a description and a default. An unknown field is refused, since a misspelt clause
would silently not hold. What a clause does is decided by the service that reads it. Long, as the document is.
"""

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.contracts.condition import Condition
from shared.contracts.envelope import canonical
from shared.contracts.kinds import ActivityKind

__all__ = [
    "AccountCriteria",
    "Agreement",
    "ClockTerm",
    "Commitment",
    "Criteria",
    "EngagementGroup",
    "EngagementLine",
    "Example",
    "FitCriterion",
    "HandRaiser",
    "LadderStep",
    "NegativeLine",
    "Pool",
    "PoolMember",
    "ReasonTerm",
    "RoutingRule",
    "RoutingTerms",
    "SlaTerms",
    "SlaTier",
    "canonical_json",
    "default_agreement",
    "load_agreement",
    "sha256_of",
]

Route = Literal["reroute", "nurture", "enrich", "merge", "disqualify", "suppress"]
RungAction = Literal[
    "message_rep",
    "mail_rep",
    "flag_manager",
    "mail_manager",
    "reassign",
    "mail_executive_and_reassign",
    "pull_back",
]


class Clause(BaseModel):
    """A part of the agreement: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Identity(Clause):
    """Which document and version this is."""

    id: str = Field("default", description="the agreement")
    version: int = Field(1, ge=1, description="its version")
    effective_from: datetime = Field(description="when services begin to decide by it")


class Party(Clause):
    """What one team signs and owes."""

    signs: str = Field(description="who signs for the team")
    owes: list[dict[str, str]] = Field(default_factory=list, description="role and what it owes")


class Parties(Clause):
    """The two teams and their pledge."""

    marketing: Party = Field(description="Marketing")
    sales: Party = Field(description="Sales")
    pledge: str = Field(description="what both promise each other, in one sentence")


class Product(Clause):
    """What the company sells; may have its own criteria and pools."""

    name: str = Field(description="name of the product")
    motion: str = Field("new_business", description="new_business or expansion")


class Thresholds(Clause):
    """When a score qualifies and when it no longer does."""

    qualify: int = Field(65, ge=1, le=100, description="score that qualifies")
    demote: int = Field(50, ge=0, le=100, description="score below which a qualified lead is demoted")
    dwell_hours: float = Field(72, ge=0, description="least time between two changes")
    fit_floor: int = Field(20, description="least fit of a qualified lead")
    engagement_floor: int = Field(10, description="least engagement of a qualified lead")
    horizon_days: int = Field(90, ge=1, description="days after handoff within which a win counts")


class FitCriterion(Clause):
    """Points for the value of one attribute."""

    fact: str = Field(description="the attribute")
    points: dict[str, int] = Field(description="value to points")


class EngagementLine(Clause):
    """Points for one kind of activity, ageing by its half-life."""

    kind: ActivityKind = Field(description="the kind of activity")
    content: str | None = Field(None, description="only on pages or assets of this worth")
    points: float = Field(description="points of one activity when it is fresh")
    half_life_days: float = Field(30, gt=0, description="time in which the points halve")
    cap: float | None = Field(None, gt=0, description="most points of this line; twice its points unless said")
    verified_by: list[str] = Field(
        default_factory=list, description="count only activities proven in one of these ways"
    )

    @property
    def name(self) -> str:
        """How reasons name this line: the kind, and the page's worth where it matters."""
        return f"{self.kind.value}:{self.content}" if self.content else self.kind.value

    @property
    def cap_points(self) -> float:
        """Most points this line gives."""
        return self.cap if self.cap is not None else 2 * self.points


class EngagementGroup(Clause):
    """Lines that share a cap."""

    group: str = Field(description="name of the group")
    cap: float = Field(gt=0, description="most points of the group")
    lines: list[EngagementLine] = Field(description="its lines")


class NegativeLine(Clause):
    """Points taken off for one kind of activity."""

    kind: ActivityKind = Field(description="the kind of activity")
    content: str | None = Field(None, description="only on pages of this worth")
    is_hard: bool | None = Field(None, description="only hard bounces")
    points: float = Field(lt=0, description="points of one activity when it is fresh, below 0")
    half_life_days: float = Field(30, gt=0, description="time in which the points halve")

    @property
    def name(self) -> str:
        """How reasons name this line."""
        return f"{self.kind.value}:{self.content}" if self.content else self.kind.value


class NegativeTerms(Clause):
    """Negative points, with a floor."""

    floor: float = Field(-150, le=0, description="never less than this")
    lines: list[NegativeLine] = Field(default_factory=list, description="the lines")


class HandRaiser(Clause):
    """An activity that asks for a conversation."""

    kind: ActivityKind = Field(description="the kind of activity")
    content: str | None = Field(None, description="only on pages or forms of this worth")


class AccountCriteria(Clause):
    """When an account qualifies although none of its people does (SCORING section 4)."""

    qualify: int = Field(65, ge=1, le=100, description="score that qualifies")
    demote: int = Field(50, ge=0, le=100, description="score below which it is demoted")
    dwell_hours: float = Field(72, ge=0, description="least time between two changes")
    person_cap: float = Field(40, gt=0, description="most points one person gives")
    breadth_points: float = Field(10, ge=0, description="points per further engaged person")
    breadth_min: float = Field(10, ge=0, description="human points a person needs to count for breadth")
    breadth_days: int = Field(30, ge=1, description="within so many days")
    breadth_max: float = Field(30, ge=0, description="most points of breadth")
    engaged_people_min: int = Field(2, ge=1, description="least engaged people of a qualified account")


class EntryChannel(Clause):
    """Another floor for people who came in by one channel."""

    channel: str = Field(description="the entry channel")
    engagement_floor: int | None = Field(None, description="least engagement there")
    fit_floor: int | None = Field(None, description="least fit there")


class Exploration(Clause):
    """The share of handoffs drawn by chance from below the threshold, so that we learn there."""

    share: float = Field(0.05, ge=0, le=0.2, description="share of all handoffs")
    share_small: float = Field(0.02, ge=0, le=0.2, description="share of a small team")
    small_under_leads_per_day: int = Field(20, ge=0, description="a team below this is small")


class Example(Clause):
    """A lead that a draft must classify as stated."""

    is_qualified: bool = Field(description="what it must come out as")
    facts: dict[str, str] = Field(default_factory=dict, description="attributes")
    activities: list[ActivityKind] = Field(default_factory=list, description="fresh activities")


class Criteria(Clause):
    """The agreed definition of qualified, for one product."""

    product: str = Field("default", description="the product")
    thresholds: Thresholds = Field(default_factory=Thresholds, description="when it qualifies")
    hard_rules: list[Literal["suppressed", "no_consent", "competitor", "customer", "open_handoff"]] = Field(
        default_factory=list, description="exclusions no score overrides"
    )
    fit: list[FitCriterion] = Field(default_factory=list, description="who they are")
    engagement: list[EngagementGroup] = Field(default_factory=list, description="what they do")
    negative: NegativeTerms = Field(default_factory=NegativeTerms, description="what counts against them")
    hand_raisers: list[HandRaiser] = Field(default_factory=list, description="who asks for a conversation")
    account: AccountCriteria = Field(default_factory=AccountCriteria, description="when an account qualifies")
    entry_channels: list[EntryChannel] = Field(default_factory=list, description="other floors by entry channel")
    exploration: Exploration = Field(default_factory=Exploration, description="drawn by chance, to learn")
    examples: list[Example] = Field(default_factory=list, description="leads a draft must classify as stated")


class RoutingRule(Clause):
    """One rule of the policy; its parameters are checked by the rule itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    rule: str = Field(description="name of the rule")
    when: Condition | None = Field(None, description="asked only when this holds")
    pool: str | None = Field(None, description="the pool it chooses from")

    @property
    def params(self) -> dict[str, Any]:
        """The rule's own parameters, by name."""
        return dict(self.model_extra or {})


class PoolMember(Clause):
    """One rep in a pool."""

    rep: str = Field(description="user id of the rep")
    weight: int = Field(1, ge=1, le=100, description="share relative to the others")
    leads_per_30_days: int = Field(30, ge=1, description="most new leads in 30 days")
    load_max: int = Field(5, ge=1, description="most handoffs assigned and accepted at once")


class Pool(Clause):
    """The reps among whom a rule picks."""

    name: str = Field(description="name of the pool")
    skills: list[str] = Field(default_factory=list, description="skills its leads need")
    members: list[PoolMember] = Field(default_factory=list, description="its reps")


class Fallback(Clause):
    """Where a lead waits that no rule places: always with an owner."""

    queue: str = Field("unrouted", description="name of the queue")
    owner: str = Field("revops", description="role or user who owns it")


class RoutingLimits(Clause):
    """Bounds of routing."""

    assignments_max: int = Field(3, ge=1, description="assignments before the queue `overflow`")
    cycles_max_per_year: int = Field(4, ge=1, description="qualification cycles of one person and motion")


class RoutingTerms(Clause):
    """Who takes it."""

    handoff_scope: Literal["account", "person"] = Field("account", description="one open handoff per account or person")
    rules: list[RoutingRule] = Field(description="asked in this order")
    pools: list[Pool] = Field(default_factory=list, description="the pools")
    fallback: Fallback = Field(default_factory=Fallback, description="where what no rule places waits")
    limits: RoutingLimits = Field(default_factory=RoutingLimits, description="bounds")


class ClockTerm(Clause):
    """The length of one clock: open time of the owner's calendar, or wall time. Exactly one unit is given."""

    seconds: float | None = Field(None, gt=0, description="open seconds")
    minutes: float | None = Field(None, gt=0, description="open minutes")
    hours: float | None = Field(None, gt=0, description="open hours")
    wall_seconds: float | None = Field(None, gt=0, description="seconds of the wall clock")
    wall_hours: float | None = Field(None, gt=0, description="hours of the wall clock")
    wall_days: float | None = Field(None, gt=0, description="days of the wall clock")
    since: Literal["assignment", "state"] = Field(
        "state", alias="from", description="counted from entering the state, or from the assignment"
    )

    @property
    def is_wall(self) -> bool:
        """Whether it runs in wall time, not in open hours."""
        return any((self.wall_seconds, self.wall_hours, self.wall_days))

    @property
    def length_seconds(self) -> int:
        """The length in seconds, of open or wall time."""
        parts = (
            (self.seconds, 1),
            (self.minutes, 60),
            (self.hours, 3600),
            (self.wall_seconds, 1),
            (self.wall_hours, 3600),
            (self.wall_days, 86400),
        )
        return round(sum((value or 0) * unit for value, unit in parts))


class SlaTier(Clause):
    """The class a handoff falls in: the first whose condition holds."""

    name: str = Field(description="hand_raiser, list, scored or your own")
    when: Condition | None = Field(None, description="which handoffs; none = all others")
    accept: ClockTerm = Field(description="from assignment to accept or reject")
    touch: ClockTerm = Field(description="from accept to the first touch")
    ladder: str = Field("short", description="name of the ladder of its clocks")


class CommonClocks(Clause):
    """Clocks that are the same in every tier."""

    route: ClockTerm = Field(description="qualified to assigned")
    queue: ClockTerm = Field(description="queued to assigned; then a level up")
    dispose: ClockTerm = Field(description="first touch to disposition")
    stale: ClockTerm = Field(description="opportunity without news: reminder only")
    enrol: ClockTerm = Field(description="nurture: Marketing enrols the lead")
    cooloff: ClockTerm = Field(description="lost to nurture")
    relaxed_accept: ClockTerm = Field(description="accept in relaxed mode")


class LadderStep(Clause):
    """One rung: at a fraction of the clock, do something."""

    at: float = Field(gt=0, le=1, description="fraction of the clock's length")
    do: RungAction = Field(description="what happens then")


class PauseLimit(Clause):
    """How often and how long a rep may pause."""

    max: int = Field(1, ge=0, description="pauses of one handoff")
    business_days: int = Field(5, ge=1, description="longest pause")


class PullBack(Clause):
    """When Marketing gets a lead back."""

    after_wall_days: float = Field(30, gt=0, description="without progress")
    notice_wall_hours: float = Field(24, ge=0, description="told before")


class SlaTerms(Clause):
    """By when."""

    is_relaxed: bool = Field(False, description="relaxed mode: `relaxed_accept` for every tier but hand-raisers")
    tiers: list[SlaTier] = Field(description="the first whose condition holds")
    common: CommonClocks = Field(description="clocks of every tier")
    ladders: dict[str, list[LadderStep]] = Field(description="ladders by name")
    pause: PauseLimit = Field(default_factory=PauseLimit, description="limits of pauses")
    pull_back: PullBack = Field(default_factory=PullBack, description="back to Marketing")
    expiries_to_away: int = Field(2, ge=1, description="expiries in a row that set a rep away")


class ReasonTerm(Clause):
    """Where a reason leads, and which field it needs."""

    route: Route = Field(description="reroute, nurture, enrich, merge, disqualify or suppress")
    needs: str | None = Field(None, description="required field: sub_reason, until_on or text")


def _expand(value: object) -> object:
    """`nurture` is short for `{route: nurture}`."""
    return {"route": value} if isinstance(value, str) else value


Reason = Annotated[ReasonTerm, BeforeValidator(_expand)]


class ReasonTerms(Clause):
    """The agreed answers to why."""

    reject: dict[str, Reason] = Field(description="a rep returns a lead unworked")
    recycle: dict[str, Reason] = Field(description="a rep sends a lead back after work")
    disqualify: dict[str, Reason] = Field(default_factory=dict, description="a rep ends a lead for good")
    lost: dict[str, Reason] = Field(description="an opportunity is lost")
    pause: list[str] = Field(description="a clock stands still")


class Commitment(Clause):
    """What one whole team promises over a period."""

    team: Literal["marketing", "sales"] = Field(description="who promises")
    measure: str = Field(description="the measure, by name")
    per: Literal["week", "month", "quarter"] = Field("month", description="the period")
    at_least: float | None = Field(None, description="kept when the measure is at least this")
    at_most: float | None = Field(None, description="kept when the measure is at most this")


class Report(Clause):
    """An agreed page of numbers."""

    name: str = Field(description="name of the report")
    numbers: list[str] = Field(description="numbers by name")
    to: list[str] = Field(default_factory=list, description="recipients")
    every: Literal["day", "week", "month", "quarter"] = Field("week", description="rhythm")


class Agreement(Clause):
    """The one versioned document that Marketing and Sales sign."""

    agreement: Identity = Field(description="which document and version")
    parties: Parties = Field(description="the two teams")
    products: list[Product] = Field(description="what we sell")
    qualification: list[Criteria] = Field(description="whether: criteria per product")
    routing: RoutingTerms = Field(description="to whom")
    sla: SlaTerms = Field(description="by when")
    reasons: ReasonTerms = Field(description="why not")
    commitments: list[Commitment] = Field(default_factory=list, description="what each team promises")
    reports: list[Report] = Field(default_factory=list, description="what both look at")

    def criteria_of(self, product: str) -> Criteria:
        """The criteria of a product, else those of the default product (always there)."""
        named = {criteria.product: criteria for criteria in self.qualification}
        return named.get(product) or named["default"]


def load_agreement(text: str) -> Agreement:
    """Read YAML or JSON text. Raises pydantic.ValidationError or yaml.YAMLError; both say where."""
    return Agreement.model_validate(yaml.safe_load(text))


def canonical_json(agreement: Agreement) -> str:
    """The document as canonical JSON text: what is hashed, signed and carried on the topic."""
    return canonical(agreement.model_dump(mode="json", by_alias=True, exclude_none=True)).decode()


def sha256_of(document: str) -> str:
    """Hash of a canonical document, hex."""
    return hashlib.sha256(document.encode()).hexdigest()


@cache
def default_agreement() -> Agreement:
    """The shipped default, version 1: complete, decisive until a signed one takes its place."""
    return load_agreement((Path(__file__).parent / "default_agreement.yaml").read_text())
