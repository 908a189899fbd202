"""One rule each: thresholds, floors, dwell, hand-raisers, hard rules, exploration, what a closed handoff leaves."""

from uuid import UUID

import pytest

from services.scoring.domain.criteria import Thresholds, compile_rule
from services.scoring.domain.decay import DAY_US
from services.scoring.domain.examples import classify
from services.scoring.domain.facts import Ask
from services.scoring.domain.qualify import (
    NEVER,
    Case,
    Outcome,
    Standing,
    closed,
    decide,
    draw_of,
    given_back,
    joined,
    limit_of,
    tried,
)
from services.scoring.domain.tier import tier_of
from shared.contracts.agreement import default_agreement
from shared.ids import ActivityId

NOW = 1_780_000_000_000_000
HOUR = 3_600_000_000
LIMITS = Thresholds(qualify=65, demote=50, dwell_us=72 * HOUR, fit_floor=20, engagement_floor=10)
CASE = Case(
    score=70,
    fit=40,
    engagement=30,
    now_us=NOW,
    hard_rules=(),
    ask=None,
    evidence_known_us=NOW,
    is_known=True,
    has_open_handoff=False,
)
ASK = Ask(NOW, NOW, ActivityId(UUID(int=7)))
QUALIFIED = Standing(is_qualified=True, since_us=NOW - 80 * HOUR, number=1, policy="qualified", has_stood=True)


def outcome(standing: Standing, case: Case) -> Outcome:
    return decide(standing, case, thresholds=LIMITS).outcome


def test_a_lead_over_the_threshold_qualifies_at_once() -> None:
    verdict = decide(NEVER, CASE, thresholds=LIMITS)
    assert (verdict.outcome, verdict.policy, verdict.propensity) == (Outcome.QUALIFY, "qualified", 1.0)
    assert (verdict.standing.number, verdict.standing.since_us) == (1, NOW)


@pytest.mark.parametrize(
    "short",
    [{"score": 64}, {"fit": 19}, {"engagement": 9}, {"hard_rules": ("customer",)}, {"is_known": False}],
)
def test_each_condition_is_needed(short: dict[str, object]) -> None:
    assert outcome(NEVER, CASE._replace(**short)) is Outcome.STAY  # type: ignore[arg-type]  # fields by name


def test_between_the_thresholds_nothing_changes() -> None:
    assert outcome(NEVER, CASE._replace(score=60)) is Outcome.STAY
    assert outcome(QUALIFIED, CASE._replace(score=60)) is Outcome.STAY


def test_a_demotion_waits_for_the_dwell() -> None:
    low = CASE._replace(score=49)
    assert outcome(QUALIFIED, low) is Outcome.DEMOTE
    assert outcome(QUALIFIED._replace(since_us=NOW - 71 * HOUR), low) is Outcome.STAY


def test_an_entry_after_a_demotion_waits_for_the_dwell() -> None:
    left = decide(QUALIFIED, CASE._replace(score=10), thresholds=LIMITS).standing
    assert outcome(left, CASE._replace(now_us=NOW + 71 * HOUR)) is Outcome.STAY
    assert outcome(left, CASE._replace(now_us=NOW + 72 * HOUR)) is Outcome.QUALIFY


def test_a_hand_raiser_skips_threshold_engagement_floor_and_dwell() -> None:
    case = CASE._replace(score=25, engagement=3, ask=ASK)
    verdict = decide(Standing(since_us=NOW - HOUR, number=1), case, thresholds=LIMITS)
    assert (verdict.outcome, verdict.policy, verdict.is_below_floor) == (Outcome.QUALIFY, "hand_raiser", False)


def test_a_hand_raiser_below_the_fit_floor_is_marked() -> None:
    verdict = decide(NEVER, CASE._replace(score=30, fit=0, ask=ASK), thresholds=LIMITS)
    assert verdict.is_below_floor


def test_a_hand_raiser_is_held_by_hard_rules_and_waits_for_them_to_pass() -> None:
    case = CASE._replace(score=30, ask=ASK, hard_rules=("no_consent",))
    verdict = decide(NEVER, case, thresholds=LIMITS)
    assert verdict.outcome is Outcome.STAY
    assert outcome(verdict.standing, case._replace(hard_rules=())) is Outcome.QUALIFY


def test_one_ask_qualifies_once() -> None:
    entered = decide(NEVER, CASE._replace(score=30, ask=ASK), thresholds=LIMITS).standing
    ended = closed(entered, NOW + HOUR)
    assert outcome(ended, CASE._replace(score=30, ask=ASK, now_us=NOW + 2 * HOUR)) is Outcome.STAY
    again = Ask(NOW + 2 * HOUR, NOW + 2 * HOUR, ActivityId(UUID(int=8)))
    assert outcome(ended, CASE._replace(score=30, ask=again, now_us=NOW + 2 * HOUR)) is Outcome.QUALIFY


def test_an_ask_of_long_ago_is_history() -> None:
    old = Ask(NOW, NOW - 31 * DAY_US, ActivityId(UUID(int=7)))
    assert outcome(NEVER, CASE._replace(score=30, ask=old)) is Outcome.STAY


def test_who_never_stood_above_cannot_fall_below() -> None:
    low = CASE._replace(score=30, ask=ASK)
    entered = decide(NEVER, low, thresholds=LIMITS).standing
    assert outcome(entered, low._replace(now_us=NOW + 100 * HOUR)) is Outcome.STAY
    stood = decide(entered, low._replace(score=55, now_us=NOW + 100 * HOUR), thresholds=LIMITS).standing
    assert outcome(stood, low._replace(now_us=NOW + 101 * HOUR)) is Outcome.DEMOTE


def test_a_qualified_lead_asks_again_once_its_handoff_is_gone() -> None:
    assert outcome(QUALIFIED, CASE._replace(ask=ASK)) is Outcome.QUALIFY
    assert outcome(QUALIFIED._replace(since_us=NOW - HOUR), CASE._replace(ask=ASK)) is Outcome.STAY


def test_an_ask_while_a_scored_handoff_is_open_joins_it_once() -> None:
    open_case = CASE._replace(ask=ASK, has_open_handoff=True, hard_rules=("open_handoff",))
    fresh = QUALIFIED._replace(since_us=NOW)
    verdict = decide(fresh, open_case, thresholds=LIMITS)
    assert (verdict.outcome, verdict.policy, verdict.standing.number) == (Outcome.CONFIRM, "hand_raiser", 2)
    assert verdict.standing.since_us == NOW  # no second entry
    again = open_case._replace(ask=Ask(NOW + 1, NOW + 1, ASK.activity_id))
    assert outcome(verdict.standing, again) is Outcome.STAY
    assert outcome(fresh, open_case._replace(hard_rules=("customer", "open_handoff"))) is Outcome.STAY


def test_a_withdrawal_of_consent_ends_it_without_dwell() -> None:
    fresh = QUALIFIED._replace(since_us=NOW)
    assert outcome(fresh, CASE._replace(hard_rules=("suppressed", "no_consent"))) is Outcome.DEMOTE
    assert outcome(fresh, CASE._replace(hard_rules=("open_handoff",))) is Outcome.STAY


def test_what_a_closed_handoff_knew_opens_no_second_one() -> None:
    ended = closed(QUALIFIED, NOW)
    later = CASE._replace(now_us=NOW + 100 * HOUR)
    assert not ended.is_qualified
    assert outcome(ended, later._replace(evidence_known_us=NOW)) is Outcome.STAY
    assert outcome(ended, later._replace(evidence_known_us=NOW + HOUR)) is Outcome.QUALIFY
    assert closed(ended, NOW - HOUR) == ended


def test_the_late_end_of_an_older_cycle_does_not_undo_a_newer_entry() -> None:
    assert closed(QUALIFIED, QUALIFIED.since_us - HOUR).is_qualified


def test_exploration_is_by_the_draw_and_recorded_either_way() -> None:
    low = CASE._replace(score=30)
    drawn = tried(NEVER, low, thresholds=LIMITS, draw=0.2, limit=0.1)
    assert (drawn.outcome, drawn.propensity, drawn.draw, drawn.draw_limit) == (Outcome.DRAWN, 0.1, 0.2, 0.1)
    explored = tried(NEVER, low, thresholds=LIMITS, draw=0.05, limit=0.1)
    assert (explored.outcome, explored.policy, explored.propensity) == (Outcome.QUALIFY, "explored", 0.1)
    assert not explored.is_below_floor


@pytest.mark.parametrize(
    ("standing", "case"),
    [
        (NEVER._replace(is_drawn=True), CASE._replace(score=30)),
        (NEVER._replace(number=1), CASE._replace(score=30)),
        (NEVER, CASE._replace(score=30, hard_rules=("competitor",))),
        (NEVER, CASE),
    ],
)
def test_who_is_not_drawn(standing: Standing, case: Case) -> None:
    verdict = tried(standing, case, thresholds=LIMITS, draw=0.0, limit=0.1)
    assert (verdict.outcome, verdict.standing.is_drawn) == (Outcome.STAY, True)


def test_an_explored_lead_that_crosses_by_itself_gets_propensity_1() -> None:
    explored = QUALIFIED._replace(policy="explored", has_stood=False)
    verdict = decide(explored, CASE._replace(hard_rules=("open_handoff",)), thresholds=LIMITS)
    assert (verdict.outcome, verdict.propensity, verdict.standing.number) == (Outcome.CONFIRM, 1.0, 2)
    assert outcome(verdict.standing, CASE._replace(hard_rules=("open_handoff",))) is Outcome.STAY


def test_a_draw_is_the_same_every_time_and_even() -> None:
    draws = [draw_of(b"salt", UUID(int=number).bytes) for number in range(2000)]
    assert draws == [draw_of(b"salt", UUID(int=number).bytes) for number in range(2000)]
    assert all(0 <= draw <= 1 for draw in draws)
    assert abs(sum(draw < 0.1 for draw in draws) / 2000 - 0.1) < 0.03


def test_the_limit_makes_explored_handoffs_the_agreed_share() -> None:
    assert limit_of(40, 100, share=0.05) == pytest.approx(0.02)
    assert limit_of(400, 10, share=0.05) == 0.2
    assert limit_of(40, 0, share=0.05) == 0.0


def test_a_merge_is_qualified_if_either_was_since_the_later() -> None:
    other = Standing(since_us=NOW, number=4)
    both = joined(other, QUALIFIED)
    assert (both.is_qualified, both.since_us, both.number, both.policy) == (True, NOW, 5, "qualified")
    assert joined(QUALIFIED, other).number == 1


def test_a_split_takes_back_what_the_merge_handed_on_and_nothing_else() -> None:
    own = Standing(since_us=NOW - HOUR, number=4)
    merged = joined(own, QUALIFIED, member_id="lee")
    back = given_back(merged, member_id="lee")
    assert (back.is_qualified, back.since_us, back.number, back.policy) == (False, own.since_us, 5, "none")
    assert given_back(merged, member_id="max") == merged
    again = merged._replace(number=6)  # lost and won again, by what the person did
    assert given_back(again, member_id="lee") == again
    both = joined(QUALIFIED, QUALIFIED, member_id="lee")
    assert given_back(both, member_id="lee") == both


def test_the_default_agreement_classifies_its_examples_as_stated() -> None:
    criteria = default_agreement().criteria_of("default")
    found = classify(criteria, compile_rule(criteria), now_us=NOW)
    assert len(found) == 6
    assert [each.is_qualified for each in found] == [each.example.is_qualified for each in found]


def test_tiers_come_from_the_agreement() -> None:
    terms = default_agreement().sla
    assert tier_of(terms, {}, policy="hand_raiser") == "hand_raiser"
    assert tier_of(terms, {}, policy="hand_raiser", is_below_floor=True) == "list"
    assert tier_of(terms, {"entry_channel": "field_event"}, policy="qualified") == "list"
    assert tier_of(terms, {"entry_channel": "web"}, policy="explored") == "scored"
