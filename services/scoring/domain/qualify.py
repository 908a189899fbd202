"""Decides whether a lead becomes qualified, is demoted, is drawn for exploration, or stays: with policy and propensity.

State is a `Standing`: qualified or not, since when. Invariant: two entries are never closer than the dwell, but for a
person who asks for a conversation again. Hard rules come before any score; nothing here knows how a score is made.
"""

import hmac
from enum import StrEnum
from typing import NamedTuple

from services.scoring.domain.criteria import Thresholds
from services.scoring.domain.decay import DAY_US
from services.scoring.domain.facts import Ask

__all__ = [
    "NEVER",
    "Case",
    "Outcome",
    "Standing",
    "Verdict",
    "asks",
    "closed",
    "decide",
    "draw_at",
    "draw_of",
    "given_back",
    "is_drawable",
    "joined",
    "limit_of",
    "tried",
]

# An ask older than this is history, as a file of past activities brings it, not a person who waits for an answer.
ASK_LIVES_US = 30 * DAY_US
# A draw comes a day after the person became known: by then it is clear who qualifies without help (SCORING section 8).
DRAW_AFTER_US = DAY_US
# Draws are taken at full hours: nobody waits for one, and a thousand leads then cost a few looks.
_HOUR_US = 3_600_000_000
DRAW_LIMIT_MAX = 0.2


class Outcome(StrEnum):
    """What a decision comes to."""

    STAY = "stay"
    QUALIFY = "qualify"
    CONFIRM = "confirm"  # handed off already, and now more than that: it asks, or crosses after being explored
    DEMOTE = "demote"
    DRAWN = "drawn"  # drawn and not explored: recorded all the same


class Standing(NamedTuple):
    """Where a lead stands. number counts qualifications; instants in microseconds, 0 = never.

    closed_us: when its last handoff ended; evidence and asks known before are spent. has_stood: whether the score has
    been at or above `demote` since the entry, for who never stood above cannot fall below. taken_from: the lead whose
    qualification number `taken_number` is, by a merge; own_since_us: since_us before it.
    """

    is_qualified: bool = False
    since_us: int = 0
    number: int = 0
    policy: str = "none"
    has_stood: bool = False
    ask_used_us: int = 0
    closed_us: int = 0
    is_drawn: bool = False
    flips: int = 0
    taken_from: str = ""
    taken_number: int = 0
    own_since_us: int = 0


NEVER = Standing()


class Case(NamedTuple):
    """What one decision looks at: displayed numbers, what was asked, which hard rules hit, when."""

    score: int
    fit: int
    engagement: int
    now_us: int
    hard_rules: tuple[str, ...]
    ask: Ask | None
    evidence_known_us: int  # when we learned of the newest human activity
    is_known: bool
    has_open_handoff: bool


class Verdict(NamedTuple):
    """What was decided, by which policy, and where the lead stands then."""

    outcome: Outcome
    standing: Standing
    policy: str = "none"
    is_below_floor: bool = False
    propensity: float = 0.0
    draw: float | None = None
    draw_limit: float | None = None


def decide(standing: Standing, case: Case, *, thresholds: Thresholds) -> Verdict:
    """One decision by score and asks. Qualify, demote, confirm or stay; a hard rule lets nobody in (propensity 0)."""
    if standing.is_qualified and case.score >= thresholds.demote and not standing.has_stood:
        standing = standing._replace(has_stood=True)
    is_past_dwell = standing.since_us == 0 or case.now_us - standing.since_us >= thresholds.dwell_us
    is_free = not standing.is_qualified or (is_past_dwell and not case.has_open_handoff)
    if is_free and asks(standing, case) and _may_enter(case):
        return _enter(standing, case, policy="hand_raiser", thresholds=thresholds)
    if standing.is_qualified:
        return _decide_qualified(standing, case, thresholds=thresholds, is_past_dwell=is_past_dwell)
    if is_past_dwell and _meets(case, thresholds) and _may_enter(case) and case.evidence_known_us > standing.closed_us:
        return _enter(standing, case, policy="qualified", thresholds=thresholds)
    return Verdict(Outcome.STAY, standing)


def tried(standing: Standing, case: Case, *, thresholds: Thresholds, draw: float, limit: float) -> Verdict:
    """The one draw of a lead, a day after it became known: explored when draw < limit, recorded either way.

    Not drawn at all when it was ever handed off, hits a hard rule or is over the threshold.
    """
    done = standing._replace(is_drawn=True)
    was_handed_off = standing.number > 0 or standing.closed_us > 0 or case.has_open_handoff
    if standing.is_drawn or was_handed_off or not _may_enter(case) or _meets(case, thresholds):
        return Verdict(Outcome.STAY, done)
    if draw >= limit:
        return Verdict(Outcome.DRAWN, done, propensity=limit, draw=draw, draw_limit=limit)
    entered = _enter(done, case, policy="explored", thresholds=thresholds)
    return entered._replace(is_below_floor=False, propensity=limit, draw=draw, draw_limit=limit)


def is_drawable(standing: Standing, known_since_us: int) -> bool:
    """Whether a lead still has its one draw before it: known, never drawn, never handed off."""
    return known_since_us > 0 and not standing.is_drawn and standing.number == 0 and standing.closed_us == 0


def draw_at(known_since_us: int) -> int:
    """When a lead's draw is due: the first full hour a day after it became known."""
    return -(-(known_since_us + DRAW_AFTER_US) // _HOUR_US) * _HOUR_US


def draw_of(salt: bytes, lead_id: bytes) -> float:
    """U = HMAC-SHA256(salt, lead id) / 2 ** 256, in [0, 1): a replay draws the same."""
    return int.from_bytes(hmac.digest(salt, lead_id, "sha256"), "big") / 2**256


def limit_of(handoffs: int, eligible: int, *, share: float) -> float:
    """E = share * handoffs / eligible over 7 days, at most .2; 0 when nobody was eligible."""
    return min(DRAW_LIMIT_MAX, share * handoffs / eligible) if eligible else 0.0


def closed(standing: Standing, at_us: int) -> Standing:
    """The standing after its handoff ended: not qualified; what was known until then opens no second one."""
    if at_us <= standing.closed_us:
        return standing
    if standing.is_qualified and at_us <= standing.since_us:  # an older cycle's end, learned late
        return standing._replace(closed_us=at_us)
    return standing._replace(
        is_qualified=False,
        has_stood=False,
        policy="none",
        closed_us=at_us,
        since_us=max(standing.since_us, at_us),
        ask_used_us=max(standing.ask_used_us, at_us),
    )


def joined(root: Standing, member: Standing, *, member_id: str = "") -> Standing:
    """The root's standing after a merge: qualified if either was, since the later; each keeps its own counter.

    A qualification it takes over counts as one of its own, so that its demotion has a number nobody used before.
    """
    is_taken_over = member.is_qualified and not root.is_qualified
    if is_taken_over:
        root = root._replace(taken_from=member_id, taken_number=root.number + 1, own_since_us=root.since_us)
    return root._replace(
        number=root.number + is_taken_over,
        is_qualified=root.is_qualified or member.is_qualified,
        since_us=max(root.since_us, member.since_us),
        policy=root.policy if root.is_qualified or not member.is_qualified else member.policy,
        has_stood=root.has_stood or member.has_stood,
        ask_used_us=max(root.ask_used_us, member.ask_used_us),
        closed_us=max(root.closed_us, member.closed_us),
        is_drawn=root.is_drawn or member.is_drawn,
    )


def given_back(root: Standing, *, member_id: str) -> Standing:
    """The root's standing after a split: a qualification it has by the merge of this member goes with the member.

    One that it has of its own, or has won since, stays (the very same standing). Its number stays used.
    """
    is_by_merge = root.is_qualified and root.taken_from == member_id and root.taken_number == root.number
    if not is_by_merge:
        return root
    return root._replace(
        is_qualified=False,
        policy="none",
        has_stood=False,
        since_us=root.own_since_us,
        taken_from="",
        taken_number=0,
        own_since_us=0,
    )


def _decide_qualified(standing: Standing, case: Case, *, thresholds: Thresholds, is_past_dwell: bool) -> Verdict:
    # Consent withdrawn or suppressed: nobody may act on it, so the dwell does not keep it (GLOSSARY, hard rule).
    is_barred = any(rule in {"suppressed", "no_consent"} for rule in case.hard_rules)
    if is_barred or (standing.has_stood and is_past_dwell and case.score < thresholds.demote):
        left = standing._replace(
            is_qualified=False,
            has_stood=False,
            policy="none",
            since_us=case.now_us,
            ask_used_us=max(standing.ask_used_us, case.ask.known_us if case.ask else 0),
            flips=standing.flips + 1,
        )
        return Verdict(Outcome.DEMOTE, left)
    # Its own open handoff does not bar what only adds to it: handoff attaches it as evidence and raises the priority.
    if case.is_known and set(case.hard_rules) <= {"open_handoff"}:
        if case.has_open_handoff and standing.policy != "hand_raiser" and asks(standing, case):
            return _confirm(standing, case, policy="hand_raiser")
        if standing.policy == "explored" and _meets(case, thresholds):
            return _confirm(standing, case, policy="qualified")
    return Verdict(Outcome.STAY, standing)


def _confirm(standing: Standing, case: Case, *, policy: str) -> Verdict:
    confirmed = standing._replace(
        policy=policy, number=standing.number + 1, ask_used_us=case.ask.known_us if case.ask else standing.ask_used_us
    )
    return Verdict(Outcome.CONFIRM, confirmed, policy=policy, propensity=1.0)


def _enter(standing: Standing, case: Case, *, policy: str, thresholds: Thresholds) -> Verdict:
    entered = standing._replace(
        is_qualified=True,
        since_us=case.now_us,
        number=standing.number + 1,
        policy=policy,
        has_stood=case.score >= thresholds.demote,
        ask_used_us=max(standing.ask_used_us, case.ask.known_us if case.ask else 0),
        flips=standing.flips + 1,
    )
    return Verdict(
        Outcome.QUALIFY, entered, policy=policy, is_below_floor=case.fit < thresholds.fit_floor, propensity=1.0
    )


def asks(standing: Standing, case: Case) -> bool:
    """Whether the person waits for an answer: asked since the last ask was served, and lately."""
    if case.ask is None:
        return False
    is_new = case.ask.known_us > max(standing.ask_used_us, standing.closed_us)
    return is_new and case.now_us - case.ask.occurred_us < ASK_LIVES_US


def _may_enter(case: Case) -> bool:
    """An anonymous visitor cannot be called, and no score overrides a hard rule."""
    return case.is_known and not case.hard_rules


def _meets(case: Case, thresholds: Thresholds) -> bool:
    return (
        case.score >= thresholds.qualify
        and case.fit >= thresholds.fit_floor
        and case.engagement >= thresholds.engagement_floor
    )
