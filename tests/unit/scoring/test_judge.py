"""One rule each: what one look at a person comes to, when the next one is, what a draft would have changed."""

from itertools import count
from uuid import UUID

import pytest

from services.scoring.domain.criteria import PointsRule, compile_rule
from services.scoring.domain.crossing import Course, next_below, next_qualifying
from services.scoring.domain.decay import DAY_US, NO_WEIGHT, Weight, decayed, half_life_us, weight_of
from services.scoring.domain.facts import NO_SUMS, Activity, count_kinds, fold, is_relevant, join_counts, sum_facts
from services.scoring.domain.judge import Draw, Judgement, judge
from services.scoring.domain.member import (
    Attributes,
    Deal,
    HandoffSeen,
    Link,
    Member,
    Permission,
    Record,
    with_record,
)
from services.scoring.domain.person import person_of
from services.scoring.domain.qualify import NEVER, Outcome, Standing, closed, draw_at
from services.scoring.domain.scorecard import Model
from services.scoring.domain.sentences import part_sentence_of, sentence_of
from services.scoring.domain.simulation import MOMENTS_MOST, History, entries_under
from services.scoring.domain.tier import tier_of
from shared.contracts.agreement import Criteria, default_agreement
from shared.contracts.model_card import CardLine, ModelCard
from shared.ids import AccountId, ActivityId, LeadId, derived_id

NOW = 1_780_000_000_000_000
HOUR = 3_600_000_000
CRITERIA = default_agreement().criteria_of("default")
RULE = compile_rule(CRITERIA)
KIM = LeadId(UUID(int=1))
VP, TARGET = {"title_level": "vp", "entry_channel": "web"}, {"is_target_industry": "true"}
ids = count()


def did(kind: str, *, at: int = NOW, content: str | None = None, human: float = 1.0) -> Activity:
    return Activity(ActivityId(derived_id(next(ids))), KIM, kind, content, True, "server_key", at, at, human)


def kim(
    *activities: Activity, records: tuple[Record, ...] = (), is_known: bool = True, rule: PointsRule = RULE
) -> Member:
    member = Member(KIM, fold(NO_SUMS, activities, rule=rule))
    told = (
        Attributes(1, NOW, VP, is_known),
        Link(1, NOW, AccountId(UUID(int=9)), TARGET),
        Permission(1, NOW, "profiling", "granted", is_allowed=True),
    )
    for record in (*told, *records):
        member = with_record(member, record)
    return member


def look(
    member: Member, *, at: int = NOW, standing: Standing = NEVER, model: Model | None = None, draw: Draw | None = None
) -> Judgement:
    return judge(person_of([member]), standing, now_us=at, rule=RULE, model=model, draw=draw)


def card(family: str, **more: object) -> Model:
    told = {"family": family, "agreement_version": 1, "base": 0, "a": 1.0, **more}
    return Model(UUID(int=3), ModelCard.model_validate(told), 0.5)


def test_a_person_is_scored_judged_and_armed_for_its_fall() -> None:
    found = look(kim(did("pricing_viewed"), did("webinar_registered")))
    assert (found.score.score, found.verdict.outcome) == (70, Outcome.QUALIFY)
    assert found.recheck_us is not None
    again = look(
        kim(did("pricing_viewed"), did("webinar_registered")), at=found.recheck_us, standing=found.verdict.standing
    )
    assert (again.score.score, again.verdict.outcome) == (49, Outcome.DEMOTE)


def test_who_may_not_be_scored_has_no_score_and_no_next_look() -> None:
    gone = kim(did("demo_requested"), records=(Permission(2, NOW, "profiling", "withdrawn", is_allowed=False),))
    found = look(gone)
    assert (found.is_scored, found.score.lines, found.recheck_us, found.verdict.outcome) == (
        False,
        (),
        None,
        Outcome.STAY,
    )


def test_a_known_lead_waits_for_its_draw_and_an_anonymous_one_does_not() -> None:
    assert look(kim(did("email_click"))).recheck_us == draw_at(NOW)
    assert NOW + DAY_US <= draw_at(NOW) < NOW + DAY_US + HOUR
    assert look(kim(did("email_click"), is_known=False)).recheck_us is None


def test_a_draw_is_taken_only_by_who_stays() -> None:
    low, high = kim(did("email_click")), kim(did("demo_requested"))
    later, draw = NOW + DAY_US, Draw(0.01, 0.2)
    assert look(low, at=later, draw=draw).verdict.policy == "explored"
    assert look(high, at=later, draw=draw).verdict.policy == "hand_raiser"
    assert look(low, at=later, draw=Draw(0.3, 0.2)).verdict.outcome is Outcome.DRAWN


def test_an_agreement_that_explores_nobody_arms_no_draw() -> None:
    none = CRITERIA.model_copy(
        update={"exploration": CRITERIA.exploration.model_copy(update={"share": 0, "share_small": 0})}
    )
    rule = compile_rule(none)
    found = judge(person_of([kim(did("email_click"), rule=rule)]), NEVER, now_us=NOW, rule=rule)
    assert found.recheck_us is None


def test_a_lead_that_waits_for_its_dwell_is_looked_at_at_its_end() -> None:
    left = Standing(since_us=NOW - HOUR, number=1)
    found = look(kim(did("pricing_viewed"), did("webinar_attended")), standing=left)
    assert (found.verdict.outcome, found.recheck_us) == (Outcome.STAY, NOW + 71 * HOUR)


def test_a_qualified_lead_that_asks_without_a_handoff_is_looked_at_when_its_dwell_ends() -> None:
    standing = Standing(is_qualified=True, since_us=NOW - HOUR, number=1, policy="qualified")
    assert look(kim(did("demo_requested")), standing=standing).recheck_us == NOW + 71 * HOUR


@pytest.mark.parametrize(
    "records",
    [
        (HandoffSeen(1, NOW, "h", "working", NOW),),
        (Attributes(2, NOW, {"title_level": "staff"}, True), Link(2, NOW, AccountId(UUID(int=9)), {})),
    ],
)
def test_who_cannot_rise_is_not_looked_at(records: tuple[Record, ...]) -> None:
    left = Standing(since_us=NOW - HOUR, number=1)
    did_much = [did("pricing_viewed"), did("webinar_attended"), did("webinar_registered"), did("pricing_viewed")]
    did_much += [did("trial_started"), did("email_unsubscribe")]
    assert look(kim(*did_much, records=records), standing=left._replace(ask_used_us=NOW)).recheck_us is None


def test_fading_negative_points_lift_a_lead_at_the_armed_instant() -> None:
    points = [did("trial_started", at=NOW), did("trial_started", at=NOW), did("email_spam", at=NOW - 400 * DAY_US)]
    slow = CRITERIA.model_dump(mode="json")
    for group in slow["engagement"]:
        for line in group["lines"]:
            line["half_life_days"] = 36_500
    rule = compile_rule(Criteria.model_validate(slow))
    person = person_of([kim(*points, rule=rule)])
    standing = Standing(is_drawn=True, ask_used_us=NOW)
    found = judge(person, standing, now_us=NOW, rule=rule)
    assert found.verdict.outcome is Outcome.STAY
    assert found.recheck_us is not None
    before = judge(person, standing, now_us=found.recheck_us - 2_000_000, rule=rule)
    after = judge(person, standing, now_us=found.recheck_us, rule=rule)
    assert (before.verdict.outcome, after.verdict.outcome) == (Outcome.STAY, Outcome.QUALIFY)


def test_a_lead_that_never_stood_above_has_no_fall_to_wait_for() -> None:
    explored = Standing(is_qualified=True, since_us=NOW, number=1, policy="explored")
    assert look(kim(did("email_click")), standing=explored).recheck_us is None


def test_a_score_that_never_falls_is_looked_at_again_at_the_horizon() -> None:
    fit = {"fit": [{"fact": "title_level", "points": {"vp": 90}}], "thresholds": {"engagement_floor": 0}}
    rule = compile_rule(Criteria.model_validate({**fit, "exploration": {"share": 0, "share_small": 0}}))
    standing = Standing(is_qualified=True, since_us=NOW, number=1, policy="qualified", has_stood=True)
    found = judge(person_of([kim()]), standing, now_us=NOW, rule=rule)
    assert found.recheck_us == NOW + 400 * DAY_US


def test_under_a_scorecard_a_qualified_lead_is_looked_at_each_day() -> None:
    model = card("scorecard", base=20)
    qualified = Standing(is_qualified=True, since_us=NOW - 80 * HOUR, number=1, policy="qualified", has_stood=True)
    assert look(kim(did("pricing_viewed")), standing=qualified, model=model).recheck_us == NOW + DAY_US
    inside = Standing(since_us=NOW - HOUR, number=1)
    assert look(kim(did("email_click")), standing=inside, model=model).recheck_us == NOW + 71 * HOUR
    assert look(kim(did("email_click")), standing=Standing(number=1), model=model).recheck_us is None


def test_a_scorecard_reads_counts_and_attributes() -> None:
    lines = (
        CardLine(fact="count.page_view", kind="number", cuts=(2.0,), points=(0, 10)),
        CardLine(fact="title_level", kind="category", values=()),
    )
    model = card("scorecard", base=-40, lines=[line.model_dump() for line in lines])
    person = person_of([kim()])
    counts = count_kinds([did("page_view"), did("page_view"), did("page_view", human=0.0)])
    few = judge(person, NEVER, now_us=NOW, rule=RULE, model=model)
    many = judge(person._replace(counts=join_counts([counts, {}])), NEVER, now_us=NOW, rule=RULE, model=model)
    assert many.score.score == few.score.score + 10


def test_counts_of_a_tree_add_up_and_tell_software_apart() -> None:
    one, other = (
        count_kinds([did("page_view", at=NOW - 5)]),
        count_kinds([did("page_view", human=0.1), did("email_open")]),
    )
    both = join_counts([one, other])
    assert (both["page_view"].times, both["page_view"].human, both["page_view"].last_us) == (2, 1, NOW - 5)
    facts = sum_facts(NO_SUMS, both, NOW + DAY_US, rule=RULE)
    assert facts["count.page_view"] == ("1", NOW)
    assert facts["days_since.page_view"] == ("1", NOW)
    software = count_kinds([did("email_open", human=0.0)])
    assert "days_since.email_open" not in sum_facts(NO_SUMS, software, NOW, rule=RULE)


def test_most_activities_move_no_sum() -> None:
    assert is_relevant(did("pricing_viewed"), rule=RULE)
    assert not is_relevant(did("page_view", content="other"), rule=RULE)
    assert not is_relevant(did("email_open"), rule=RULE)
    assert not is_relevant(did("pricing_viewed", human=0.2), rule=RULE)


def test_weights_of_software_and_of_ages_ago_stay_small() -> None:
    assert weight_of(NOW, human=0.3, half_life=DAY_US) == NO_WEIGHT
    assert decayed(NO_WEIGHT, NOW, half_life=DAY_US) == 0.0
    half_life = half_life_us(0.001)
    total = NO_WEIGHT
    for days in range(40):
        total = total.plus(weight_of(NOW - days * DAY_US, human=0.7, half_life=half_life))
    assert total.mantissa.bit_length() <= 8_192
    assert decayed(total, NOW, half_life=half_life) == pytest.approx(0.7)
    assert Weight(1, 0).plus(NO_WEIGHT) == Weight(1, 0)


def test_a_crossing_that_takes_too_long_to_find_is_looked_for_again_soon() -> None:
    vague = Course(
        0.0, lambda at: -float(at), lambda at: at + 60.0, has_negative=True
    )  # always 60, its bounds say less
    flat = Course(60.0, lambda _: 0.0, lambda _: 0.0, has_negative=False)
    found = next_below(vague, 50, from_us=0)
    assert found is not None
    assert 0 < found < HOUR
    assert next_below(flat, 50, from_us=0) is None
    assert next_qualifying(flat, 60, 0, from_us=0) == 0
    assert next_qualifying(flat, 61, 0, from_us=0) is None


def test_closing_keeps_a_newer_entry_and_an_older_end() -> None:
    standing = Standing(is_qualified=True, since_us=NOW, number=2, policy="qualified")
    assert closed(standing, NOW - HOUR) == standing._replace(closed_us=NOW - HOUR)
    assert closed(standing._replace(closed_us=NOW), NOW - HOUR).closed_us == NOW


def test_newest_words_on_deals_and_links_count() -> None:
    older = with_record(kim(), Attributes(2, NOW - 5, {"title_level": "vp", "country": "DE"}, True))
    told_later = with_record(older, Link(2, NOW, AccountId(UUID(int=9)), {"country": "FR"}))
    assert person_of([told_later]).attributes["country"] == "FR"
    bought = with_record(with_record(kim(), Deal(1, NOW, "a", "open")), Deal(1, NOW, "b", "lost"))
    assert not person_of([bought]).is_customer
    again = kim(records=(Link(1, NOW, AccountId(UUID(int=9)), {}),))
    assert again.link is not None
    assert again.link.values == TARGET  # an equal version is the same record


def test_the_last_tier_takes_what_no_condition_takes() -> None:
    terms = default_agreement().sla
    only_first = terms.model_copy(update={"tiers": terms.tiers[:1]})
    assert tier_of(only_first, {}, policy="qualified") == "hand_raiser"


def test_a_simulation_replays_the_past_by_another_rule() -> None:
    easier = compile_rule(
        CRITERIA.model_copy(update={"thresholds": CRITERIA.thresholds.model_copy(update={"qualify": 60})})
    )
    member = kim()
    records: list[Record] = [record for record in (member.profile, member.link, *member.permissions.values()) if record]
    records.append(HandoffSeen(1, NOW, "h", "working", NOW))
    kept = History(
        [KIM], {KIM: [did("pricing_viewed", at=NOW + HOUR), did("page_view", at=NOW + 2 * HOUR)]}, {KIM: records}
    )
    assert entries_under(RULE, kept, from_us=NOW, until_us=NOW + DAY_US) == ()
    (entry,) = entries_under(easier, kept, from_us=NOW, until_us=NOW + DAY_US)
    assert (entry.at_us, entry.policy, entry.score) == (NOW + HOUR, "qualified", 60)
    begun = NOW + 2 * HOUR
    assert entries_under(easier, kept, from_us=begun, until_us=NOW + DAY_US)[0].at_us == begun


def test_a_simulation_of_a_script_is_bounded() -> None:
    many = [did("pricing_viewed", at=NOW + number) for number in range(MOMENTS_MOST + 50)]
    kept = History([KIM], {KIM: many}, {KIM: []})
    assert entries_under(RULE, kept, from_us=NOW, until_us=NOW + DAY_US) == ()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("pricing_viewed", "Looked at prices (+5)"),
        ("page_view:case_study", "Read a page about case study (+5)"),
        ("title_level=c_level", "Title level is c level (+5)"),
        ("shoe_size=44", "shoe size is 44 (+5)"),
        ("cap:research", "Most that research can give (+5)"),
        ("floor:negative", "Most that negative points can take (+5)"),
        ("model:count.page_view=7", "page view, 7 times, by outcomes so far (+5)"),
        ("model:count.page_view", "No page view, by outcomes so far (+5)"),
        ("model:days_since.email_click=3", "email click 3 days ago, by outcomes so far (+5)"),
        ("model:weight.page_view:blog@30d=0.8", "page view blog lately, by outcomes so far (+5)"),
        ("model:title_level=vp", "Title level is vp, by outcomes so far (+5)"),
        ("model:title_level", "title level is not known, by outcomes so far (+5)"),
        (
            "model:start=31",
            "Where every lead starts; each 20 points double the odds of a win, which makes 31 in 100 here (+5)",
        ),
        ("clamp", "Kept between 0 and 100 (+5)"),
        ("site_visit", "site visit (+5)"),
    ],
)
def test_a_line_reads_as_a_sentence(line: str, sentence: str) -> None:
    assert sentence_of(line, 5) == sentence


def test_a_part_of_a_model_stored_without_its_value_says_nothing_of_it() -> None:
    assert part_sentence_of("model:title_level", -12) == "Model: title level (-12)"
    assert part_sentence_of("clamp", -12) == sentence_of("clamp", -12)


def test_a_line_that_gives_no_points_says_none() -> None:
    assert sentence_of("model:chance=31", 0) == "By outcomes so far, 31 in 100 leads with such a score are won"
