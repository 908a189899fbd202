"""By when: tiers to clocks, rungs to instants, what is left after a pause, outages, late evidence, and who is charged.

Instants come from open seconds of a calendar (or wall time); nothing here waits or reads a clock: `now` is an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from services.handoff.domain import calendar as business
from services.handoff.domain.calendar import ALWAYS, Calendar
from services.handoff.domain.lifecycle.states import ClockKind, Policy, ReasonRoute, RouteWord
from shared.contracts.agreement import Agreement, ClockTerm, ReasonTerm, SlaTier
from shared.contracts.condition import evaluate

__all__ = [
    "HOLD_HOURS",
    "WALL",
    "Cause",
    "Plan",
    "Terms",
    "Timing",
    "begin",
    "carry_on",
    "cause_of",
    "evidence_hold",
    "latest_pause_end",
    "moved",
    "next_rung",
    "postponed",
    "rung_at",
    "rung_due",
]

WALL = "wall"
# RELIABILITY 3.6: a missed touch may be claimed only if we could have seen one; a silent connector holds it no longer.
HOLD_HOURS = 2
# DOMAIN 5.4: after an outage people get at most this many open minutes on top.
_GRACE_SECONDS = 15 * 60
# A pause of a few open days never looks further ahead than this, whatever holidays and absences lie between.
_PAUSE_DAYS_SEARCHED = 120

Cause = Literal["marketing", "system", "rep"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One clock as agreed: its length, in open or wall seconds, and its rungs (fractions ascending, the last one 1)."""

    seconds: int
    is_wall: bool
    since_assignment: bool
    fractions: tuple[float, ...]
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """When an armed clock is due. used_seconds were counted before base_at, under the clock it carries on from.

    calendar is a name, or `wall`; due_at may be later than computed after an outage, never earlier.
    """

    calendar: str
    calendar_version: int
    base_at: datetime
    armed_at: datetime
    used_seconds: int
    total_seconds: int
    fractions: tuple[float, ...]
    actions: tuple[str, ...]
    due_at: datetime
    is_late_by_system: bool = False


@dataclass(frozen=True)
class Terms:
    """The agreement in force, as handoff reads it: what each tier means is worked out once."""

    agreement_id: str
    version: int
    document: Agreement
    _plans: dict[tuple[str, ClockKind], Plan] = field(default_factory=dict, repr=False, compare=False)
    _policies: dict[str, Policy] = field(default_factory=dict, repr=False, compare=False)

    def tier_of(self, facts: Mapping[str, str]) -> SlaTier:
        """The first tier whose condition holds; the last one when none does."""
        tiers = self.document.sla.tiers
        return next((tier for tier in tiers if evaluate(tier.when, facts)), tiers[-1])

    def policy(self, tier: str) -> Policy:
        """What the machine needs to know of one tier."""
        if tier not in self._policies:
            self._policies[tier] = _make_policy(self.document, tier)
        return self._policies[tier]

    def plan(self, tier: str, kind: ClockKind) -> Plan:
        """One clock of one tier."""
        if (tier, kind) not in self._plans:
            self._plans[tier, kind] = _make_plan(self.document, tier, kind)
        return self._plans[tier, kind]


def begin(plan: Plan, *, at: datetime, calendar: Calendar | None, since: datetime | None = None) -> Timing:
    """The timing of a clock armed at an instant; calendar None means wall time.

    since: the assignment's instant, for a clock that counts from it.
    """
    open_time = ALWAYS if calendar is None else calendar
    base = since if plan.since_assignment and since is not None else at
    return Timing(
        calendar=WALL if calendar is None else calendar.name,
        calendar_version=open_time.version,
        base_at=base,
        armed_at=at,
        used_seconds=0,
        total_seconds=plan.seconds,
        fractions=plan.fractions,
        actions=plan.actions,
        due_at=max(at, business.add(open_time, base, plan.seconds)),
    )


def carry_on(before: Timing, *, paused_at: datetime, resumed_at: datetime, calendar: Calendar) -> Timing:
    """The timing after a pause: the remaining time begins at the resumption; no countdown is stored."""
    used = min(before.total_seconds, before.used_seconds + business.between(calendar, before.base_at, paused_at))
    return replace(
        before,
        base_at=resumed_at,
        armed_at=resumed_at,
        used_seconds=used,
        calendar_version=calendar.version,
        due_at=business.add(calendar, resumed_at, before.total_seconds - used),
        is_late_by_system=False,
    )


def rung_at(timing: Timing, calendar: Calendar, level: int) -> datetime:
    """The instant of the rung after `level`, the last one being the due instant."""
    if level >= len(timing.fractions) - 1:
        return timing.due_at
    seconds = round(timing.fractions[level] * timing.total_seconds) - timing.used_seconds
    return min(timing.due_at, business.add(calendar, timing.base_at, max(0, seconds)))


def next_rung(timing: Timing, calendar: Calendar, level: int) -> tuple[int, datetime]:
    """The next rung to fire and its instant: one that passed before the clock was armed reminds nobody."""
    for each in range(level, len(timing.fractions) - 1):
        instant = rung_at(timing, calendar, each)
        if instant > timing.armed_at:
            return each, instant
    return len(timing.fractions) - 1, timing.due_at


def rung_due(timing: Timing, calendar: Calendar, level: int) -> int:
    """The rung of next_rung alone: none is left out where counting began with the arming, which needs no calendar."""
    is_last = level >= len(timing.fractions) - 1
    counts_from_arming = timing.used_seconds == 0 and timing.base_at >= timing.armed_at
    if not is_last and counts_from_arming and round(timing.fractions[level] * timing.total_seconds) > 0:
        return level
    return next_rung(timing, calendar, level)[0]


def moved(timing: Timing, calendar: Calendar) -> Timing:
    """The timing under a changed calendar: counted again from its base; what an outage gave stays."""
    due = business.add(calendar, timing.base_at, max(0, timing.total_seconds - timing.used_seconds))
    due = max(due, timing.armed_at)
    return replace(
        timing,
        due_at=max(due, timing.due_at) if timing.is_late_by_system else due,
        calendar_version=calendar.version,
    )


def postponed(timing: Timing, calendar: Calendar, *, outage_from: datetime, outage_until: datetime) -> Timing | None:
    """The timing of a clock that fell due while nobody could act: due = max(due, end + min(15 open minutes, length)).

    None when it did not fall due inside the outage.
    """
    if not outage_from <= timing.due_at <= outage_until:
        return None
    length = (outage_until - outage_from) // timedelta(seconds=1)
    grace = business.add(calendar, outage_until, min(_GRACE_SECONDS, length))
    return replace(timing, due_at=max(timing.due_at, grace), is_late_by_system=True)


def evidence_hold(due_at: datetime, *, watermark: datetime | None, now: datetime) -> datetime | None:
    """Until when the claim "no first touch" must wait; None when it may be made now.

    watermark is the least of the evidence connectors', None when there are none. After HOLD_HOURS the claim is made
    although the evidence is incomplete: the caller marks it unverified.
    """
    if watermark is None or watermark >= due_at:
        return None
    limit = due_at + timedelta(hours=HOLD_HOURS)
    return None if now >= limit else limit


def cause_of(kind: ClockKind, *, is_late_by_system: bool, is_lead_complete: bool, was_rep_told: bool) -> Cause:
    """Who is charged with a missed promise (DOMAIN 5.4): three causes are told apart in every breach.

    was_rep_told: false when the news of the offer had not left us yet; who accepted knows of it however it came.
    """
    if kind is ClockKind.ENROL:
        return "marketing"
    if is_late_by_system or kind in {ClockKind.ROUTE, ClockKind.QUEUE}:
        return "system"
    if kind is ClockKind.ACCEPT and not was_rep_told:
        return "system"
    if kind in {ClockKind.ACCEPT, ClockKind.TOUCH} and not is_lead_complete:
        return "marketing"
    return "rep"


def latest_pause_end(terms: Terms, calendar: Calendar, *, now: datetime) -> datetime:
    """The last instant a pause that begins now may end: the agreed number of open days, each as long as its hours."""
    days = terms.document.sla.pause.business_days
    ahead = (now.date() + timedelta(days=offset) for offset in range(_PAUSE_DAYS_SEARCHED))
    opened = [seconds for seconds in (business.open_seconds_of_day(calendar, day) for day in ahead) if seconds]
    return business.add(calendar, now, sum(opened[:days]))


def _make_plan(document: Agreement, tier_name: str, kind: ClockKind) -> Plan:
    sla = document.sla
    tier = next((each for each in sla.tiers if each.name == tier_name), sla.tiers[-1])
    common = sla.common
    if kind in {ClockKind.ACCEPT, ClockKind.TOUCH}:
        term = tier.accept if kind is ClockKind.ACCEPT else tier.touch
        if kind is ClockKind.ACCEPT and sla.is_relaxed and tier.name != "hand_raiser":
            term = common.relaxed_accept
        steps = sorted((step.at, step.do) for step in sla.ladders.get(tier.ladder, []))
        if not steps or steps[-1][0] < 1:
            steps.append((1.0, "reassign"))
        return _of_term(term, tuple(at for at, _ in steps), tuple(str(do) for _, do in steps))
    if kind is ClockKind.PULL_BACK:
        seconds = round(sla.pull_back.after_wall_days * 86_400)
        notice = 1 - sla.pull_back.notice_wall_hours * 3600 / seconds
        if 0 < notice < 1:
            return Plan(seconds, True, False, (notice, 1.0), ("notice", "pull_back"))
        return Plan(seconds, True, False, (1.0,), ("pull_back",))
    if kind is ClockKind.RESUME:  # its instant is the pause's own
        return Plan(0, True, False, (1.0,), ("end",))
    terms: dict[ClockKind, tuple[ClockTerm, str]] = {
        ClockKind.ROUTE: (common.route, "mail_queue_owner"),
        ClockKind.QUEUE: (common.queue, "mail_queue_owner"),
        ClockKind.DISPOSE: (common.dispose, "flag_manager"),
        ClockKind.STALE: (common.stale, "message_rep"),
        ClockKind.ENROL: (common.enrol, "mail_marketing"),
        ClockKind.COOLOFF: (common.cooloff, "end"),
    }
    term, action = terms[kind]
    return _of_term(term, (1.0,), (action,))


def _of_term(term: ClockTerm, fractions: tuple[float, ...], actions: tuple[str, ...]) -> Plan:
    return Plan(term.length_seconds, term.is_wall, term.since == "assignment", fractions, actions)


def _make_policy(document: Agreement, tier: str) -> Policy:
    reasons = document.reasons
    return Policy(
        rungs={kind: _make_plan(document, tier, kind).actions for kind in ClockKind},
        reject={**_routes(reasons.disqualify), **_routes(reasons.reject)},
        recycle=_routes(reasons.recycle),
        lost=_routes(reasons.lost),
        pause=frozenset(reasons.pause),
        assignments_max=document.routing.limits.assignments_max,
        cycles_max_per_year=document.routing.limits.cycles_max_per_year,
        pauses_max=document.sla.pause.max,
    )


def _routes(terms: Mapping[str, ReasonTerm]) -> dict[str, ReasonRoute]:
    return {code: ReasonRoute(RouteWord(term.route), term.needs) for code, term in terms.items()}
