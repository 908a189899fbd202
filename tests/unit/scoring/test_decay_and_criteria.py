"""One rule each: decay, caps, groups, floors, reasons that add up, the examples of the default agreement."""

from uuid import UUID

import pytest

from services.scoring.domain.criteria import PointsRule, compile_rule
from services.scoring.domain.decay import DAY_US, NO_WEIGHT, Weight, decayed, half_life_us, micros, moment, weight_of
from services.scoring.domain.facts import NO_SUMS, Activity, Sums, count_kinds, fold
from services.scoring.domain.scorecard import points_score, rounded, score_of, top_reasons
from shared.contracts.agreement import Criteria, default_agreement
from shared.ids import ActivityId, LeadId, derived_id

NOW = 1_780_000_000_000_000
RULE = compile_rule(default_agreement().criteria_of("default"))
LEAD = LeadId(UUID(int=1))


def did(number: int, kind: str, *, days_ago: float = 0, content: str | None = None, human: float = 1.0) -> Activity:
    at = NOW - round(days_ago * DAY_US)
    return Activity(ActivityId(derived_id("activity", number)), LEAD, kind, content, None, "server_key", at, at, human)


def sums_of(*activities: Activity, rule: PointsRule = RULE) -> Sums:
    return fold(NO_SUMS, activities, rule=rule)


def test_points_halve_in_a_half_life() -> None:
    weight = weight_of(NOW, human=1.0, half_life=half_life_us(30))
    assert decayed(weight, NOW, half_life=half_life_us(30)) == pytest.approx(1.0, abs=1e-15)
    assert decayed(weight, NOW + 30 * DAY_US, half_life=half_life_us(30)) == pytest.approx(0.5, abs=1e-15)
    assert decayed(weight, NOW + 3000 * DAY_US, half_life=half_life_us(30)) == pytest.approx(2**-100)


def test_software_is_worth_nothing_and_is_counted() -> None:
    clicks = [did(1, "email_click", human=0.49), did(2, "email_click", human=0.6)]
    counted = count_kinds(clicks)["email_click"]
    assert (counted.times, counted.human) == (2, 1)
    sums = sums_of(*clicks)
    assert score_of(sums, {}, now_us=NOW, rule=RULE).engagement == 3  # 5 points * human 0.6


def test_an_open_is_worth_nothing() -> None:
    assert score_of(sums_of(did(1, "email_open")), {}, now_us=NOW, rule=RULE).lines == ()


def test_a_sum_taken_back_leaves_no_trace() -> None:
    one = weight_of(NOW, human=1.0, half_life=half_life_us(14))
    other = weight_of(NOW - 77 * DAY_US, human=0.7, half_life=half_life_us(14))
    assert one.plus(other).minus(other) == one
    assert one.minus(one) == NO_WEIGHT
    assert NO_WEIGHT.plus(one) == one.plus(NO_WEIGHT) == one


def test_a_sum_of_many_years_is_read_without_overflow() -> None:
    half_life = half_life_us(0.5)
    total = Weight(0, 0)
    for years in range(30):
        total = total.plus(weight_of(NOW - years * 365 * DAY_US, human=1.0, half_life=half_life))
    assert decayed(total, NOW, half_life=half_life) == pytest.approx(1.0)


def test_instants_round_trip() -> None:
    assert micros(moment(NOW)) == NOW


def test_line_and_group_caps_act_when_reading() -> None:
    many = [did(number, "pricing_viewed") for number in range(4)]
    assert score_of(sums_of(*many), {}, now_us=NOW, rule=RULE).engagement == 40
    many += [did(9, "page_view", content="case_study")]
    score = score_of(sums_of(*many), {}, now_us=NOW, rule=RULE)
    assert score.lines == (("pricing_viewed", 40), ("page_view:case_study", 15), ("cap:research", -15))


def test_case_7_a_merged_person_has_capped_sums_of_both() -> None:
    common = [did(1, "pricing_viewed"), did(2, "pricing_viewed")]
    webinar, paper = did(3, "webinar_attended"), did(4, "download", content="white_paper")
    more = [did(5, "pricing_viewed"), did(6, "pricing_viewed")]
    assert score_of(sums_of(*common, webinar), {}, now_us=NOW, rule=RULE).engagement == 55
    assert score_of(sums_of(*more, paper), {}, now_us=NOW, rule=RULE).engagement == 50
    assert score_of(sums_of(*common, webinar, *more, paper), {}, now_us=NOW, rule=RULE).engagement == 65


def test_negative_points_have_a_floor_with_a_line_of_its_own() -> None:
    spam = [did(number, "email_spam") for number in range(3)]
    score = score_of(sums_of(*spam), {"title_level": "c_level"}, now_us=NOW, rule=RULE)
    assert score.lines == (("title_level=c_level", 25), ("email_spam", -300), ("floor:negative", 150), ("clamp", 125))
    assert (score.score, score.fit, score.engagement) == (0, 25, 0)


def test_only_hard_bounces_count() -> None:
    def bounce(number: int, *, is_hard: bool) -> Activity:
        return Activity(ActivityId(derived_id(number)), LEAD, "email_bounce", None, is_hard, "signature", NOW, NOW, 1.0)

    assert sums_of(bounce(1, is_hard=False)).tallies == {}
    assert len(sums_of(bounce(1, is_hard=True)).tallies) == 1


def test_a_special_line_is_never_hidden_by_a_general_one() -> None:
    lines = [{"kind": "page_view", "points": 1}, {"kind": "page_view", "content": "blog", "points": 2}]
    rule = compile_rule(Criteria.model_validate({"engagement": [{"group": "g", "cap": 50, "lines": lines}]}))
    assert score_of(sums_of(did(1, "page_view", content="blog"), rule=rule), {}, now_us=NOW, rule=rule).score == 2
    assert score_of(sums_of(did(1, "page_view", content="other"), rule=rule), {}, now_us=NOW, rule=rule).score == 1


def test_a_line_may_ask_for_proof() -> None:
    line = {"kind": "trial_started", "points": 25, "verified_by": ["signature"]}
    rule = compile_rule(Criteria.model_validate({"engagement": [{"group": "g", "cap": 50, "lines": [line]}]}))
    assert sums_of(did(1, "trial_started"), rule=rule).tallies == {}


def test_the_same_line_twice_shares_no_sum() -> None:
    line = {"kind": "trial_started", "points": 10}
    groups = [{"group": name, "cap": 50, "lines": [line]} for name in ("a", "b")]
    rule = compile_rule(Criteria.model_validate({"engagement": groups}))
    assert score_of(sums_of(did(1, "trial_started"), rule=rule), {}, now_us=NOW, rule=rule).score == 10


def test_changed_points_need_no_new_sums_and_a_changed_half_life_does() -> None:
    criteria = default_agreement().criteria_of("default")
    text = criteria.model_dump_json()
    dearer = Criteria.model_validate_json(text.replace('"points":20.0', '"points":21.0'))
    slower = Criteria.model_validate_json(text.replace('"half_life_days":14.0', '"half_life_days":15.0'))
    assert compile_rule(dearer).print == RULE.print
    assert compile_rule(slower).print != RULE.print


def test_reasons_are_rounded_by_largest_remainder() -> None:
    parts = [("a", 1.4), ("b", 1.4), ("c", 1.4)]
    assert rounded(parts) == [("a", 2), ("b", 1), ("c", 1)]
    assert rounded([("a", -0.5), ("b", 2.0)]) == [("a", 0), ("b", 2)]


def test_the_score_is_clamped_with_a_line_of_its_own() -> None:
    score = points_score([("fit", 80.0)], [("did", 60.0)])
    assert (score.score, score.fit, score.engagement) == (100, 80, 60)
    assert score.lines == (("fit", 80), ("did", 60), ("clamp", -40))


def test_the_top_reasons_are_those_that_weigh_most_either_way() -> None:
    lines = (("a", 5), ("b", -30), ("c", 20), ("d", 20))
    assert top_reasons(lines) == (("b", -30), ("c", 20), ("d", 20))


def test_floors_follow_the_entry_channel() -> None:
    assert RULE.thresholds("field_event").engagement_floor == 0
    assert RULE.thresholds("web").engagement_floor == 10
    assert RULE.thresholds(None).fit_floor == 20
    told = {"entry_channels": [{"channel": "web", "fit_floor": 5}]}
    rule = compile_rule(Criteria.model_validate(told))
    assert (rule.thresholds("web").fit_floor, rule.thresholds("web").engagement_floor) == (5, 10)


def test_what_a_rule_remembers_is_bounded() -> None:
    rule = compile_rule(Criteria.model_validate({}))
    for number in range(5_000):
        assert rule.match("page_view", f"content {number}", None, "server_key").lines == ()
        assert rule.thresholds(f"channel {number}").qualify == 65
