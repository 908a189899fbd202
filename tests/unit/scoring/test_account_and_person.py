"""One rule each: account breadth and caps, trees of members, consent, customers, records by version."""

from dataclasses import replace
from uuid import UUID

from services.scoring.domain.account import AccountStanding, PersonShare, decide_account, score_account, shares_of
from services.scoring.domain.criteria import compile_rule
from services.scoring.domain.decay import DAY_US
from services.scoring.domain.facts import NO_SUMS, Activity, fold
from services.scoring.domain.member import Attributes, Deal, HandoffSeen, Link, Member, Permission, with_record
from services.scoring.domain.person import facts_of, person_of
from services.scoring.domain.scorecard import Model, score_of, score_of_facts, top_reasons
from shared.contracts.agreement import default_agreement
from shared.contracts.model_card import CardLine, CategoryPoints, ModelCard
from shared.ids import AccountId, ActivityId, LeadId, derived_id

NOW = 1_780_000_000_000_000
RULE = compile_rule(default_agreement().criteria_of("default"))
ALL = RULE.hard_rules
ACCOUNT = AccountId(UUID(int=900))
A, B = LeadId(UUID(int=1)), LeadId(UUID(int=2))


def share(number: int, engagement: float, *, is_active: bool = True) -> PersonShare:
    return PersonShare(LeadId(UUID(int=number)), engagement, is_active, may_be_handed_off=True)


def member(
    lead_id: LeadId, *kinds: str, days_ago: int = 0, known_since_us: int = 0, consent: Permission | None = None
) -> Member:
    at = NOW - days_ago * DAY_US
    activities = [
        Activity(ActivityId(derived_id(lead_id, place)), lead_id, kind, None, None, "server_key", at, at, 1.0)
        for place, kind in enumerate(kinds)
    ]
    found = Member(lead_id, sums=fold(NO_SUMS, activities, rule=RULE), known_since_us=known_since_us)
    return found if consent is None else with_record(found, consent)


def allowed(version: int = 1, *, consent: str = "granted", purpose: str = "profiling") -> Permission:
    return Permission(version, NOW, purpose, consent, consent == "granted")


def profile(version: int, values: dict[str, str], *, known_us: int = NOW, is_known: bool = True) -> Attributes:
    return Attributes(version, known_us, values, is_known)


def test_one_noisy_person_stays_at_the_cap() -> None:
    score = score_account([share(1, 100.0)], {}, people=1, rule=RULE)
    assert (score.engagement, score.engaged_people) == (40, 1)


def test_four_quiet_people_qualify_an_account() -> None:
    score = score_account([share(number, 19.99) for number in range(1, 5)], {}, people=4, rule=RULE)
    assert score.score == 67
    assert sum(points for _, points in score.reasons) == score.engagement
    entered = decide_account(AccountStanding(), score, now_us=NOW, agreed=RULE.account, has_candidate=True)
    assert (entered.is_qualified, entered.number) == (True, 1)


def test_breadth_counts_further_active_people_up_to_its_most() -> None:
    shares = [share(1, 20.0), share(2, 12.0, is_active=False), *(share(number, 10.0) for number in range(3, 9))]
    shares.append(share(9, 0.0, is_active=False))
    score = score_account(shares, {"staff_band": "201-1000", "title_level": "vp"}, people=9, rule=RULE)
    assert score.fit == 20  # firmographic points only
    assert score.engagement == 61  # 20 + 6 + 2.5 + 1.25 + .6 + .3 + .2 + .1, and 30 of breadth


def test_an_account_needs_two_engaged_people_and_its_dwell() -> None:
    score = score_account(
        [share(1, 40.0), share(2, 5.0, is_active=False)], {"staff_band": "201-1000"}, people=2, rule=RULE
    )
    high = replace(score, score=80)
    agreed = RULE.account
    assert not decide_account(AccountStanding(), high, now_us=NOW, agreed=agreed, has_candidate=True).is_qualified
    both = replace(high, engaged_people=2)
    assert not decide_account(AccountStanding(), both, now_us=NOW, agreed=agreed, has_candidate=False).is_qualified
    entered = decide_account(AccountStanding(), both, now_us=NOW, agreed=agreed, has_candidate=True)
    low, between = replace(both, score=10), replace(both, score=agreed.demote)
    inside = decide_account(entered, low, now_us=NOW + DAY_US, agreed=agreed, has_candidate=True)
    after = decide_account(entered, low, now_us=NOW + 3 * DAY_US, agreed=agreed, has_candidate=True)
    assert (inside.is_qualified, after.is_qualified) == (True, False)
    assert decide_account(entered, between, now_us=NOW + 3 * DAY_US, agreed=agreed, has_candidate=True) == entered


def test_who_may_not_be_scored_is_no_part_of_the_account() -> None:
    ok = member(A, "demo_requested", consent=allowed(), known_since_us=NOW)
    gone = member(B, "demo_requested", consent=allowed(consent="withdrawn"), known_since_us=NOW)
    shares = shares_of([person_of([ok]), person_of([gone])], NOW, rule=RULE)
    assert [(each.lead_id, each.may_be_handed_off) for each in shares] == [(A, True)]


def test_a_tree_sums_its_members_whoever_is_the_root() -> None:
    a, b = (
        member(A, "pricing_viewed", "pricing_viewed", "webinar_attended"),
        member(B, "pricing_viewed", "pricing_viewed"),
    )
    one, other = person_of([a, b]), person_of([b, a])
    assert one.sums == other.sums
    assert score_of(one.sums, {}, now_us=NOW, rule=RULE).engagement == 55


def test_of_an_attribute_the_newest_counts_and_of_the_origin_the_first() -> None:
    came_first = member(A, "page_view", days_ago=9)
    came_first = with_record(
        came_first, profile(1, {"entry_channel": "web", "title_level": "manager"}, known_us=NOW - 9)
    )
    later = member(B, "page_view", days_ago=1)
    later = with_record(later, profile(1, {"entry_channel": "email", "title_level": "vp"}))
    for members in ([came_first, later], [later, came_first]):
        assert person_of(members).attributes == {"entry_channel": "web", "title_level": "vp"}


def test_a_profile_names_the_country_before_the_account_does() -> None:
    linked = with_record(Member(A), Link(1, NOW, ACCOUNT, {"country": "FR", "is_target_industry": "true"}))
    named = with_record(linked, profile(1, {"country": "DE"}))
    assert person_of([linked]).attributes["country"] == "FR"
    assert person_of([named]).attributes["country"] == "DE"
    assert person_of([named]).account_id == ACCOUNT
    assert person_of([Member(A)]).account_id is None


def test_unknown_consent_is_not_allowed_and_one_withdrawal_holds_for_all() -> None:
    yes, no = (
        Member(A, permissions={"profiling": allowed()}),
        Member(B, permissions={"profiling": allowed(consent="withdrawn")}),
    )
    assert person_of([yes]).may_be_scored
    assert not person_of([Member(A)]).may_be_scored
    assert not person_of([yes, no]).may_be_scored
    assert person_of([yes, no]).hard_rules(ALL) == ("suppressed", "no_consent")
    assert person_of([Member(A)]).hard_rules(ALL) == ("no_consent",)


def test_contact_may_be_refused_where_scoring_is_allowed() -> None:
    both = {"profiling": allowed(), "contact": allowed(consent="unknown", purpose="contact")}
    person = person_of([Member(A, permissions=both)])
    assert person.may_be_scored
    assert person.hard_rules(ALL) == ("no_consent",)


def test_hard_rules_of_accounts_deals_and_handoffs() -> None:
    ok = Member(A, permissions={"profiling": allowed()})
    assert person_of([ok]).hard_rules(ALL) == ()
    buyer = with_record(ok, Link(1, NOW, ACCOUNT, {}))
    assert person_of([buyer], customers={ACCOUNT}).hard_rules(ALL) == ("customer",)
    assert person_of([buyer]).hard_rules(ALL) == ()
    rival = with_record(ok, Link(1, NOW, ACCOUNT, {"is_competitor": "true"}))
    assert person_of([rival]).hard_rules(ALL) == ("competitor",)
    assert person_of([rival]).hard_rules(()) == ()
    won = with_record(ok, Deal(1, NOW, "deal", "won"))
    assert person_of([won]).hard_rules(ALL) == ("customer",)
    assert person_of([with_record(won, Deal(1, NOW + 1, "contract", "churned"))]).hard_rules(ALL) == ()
    working = with_record(ok, HandoffSeen(3, NOW, "h", "working", NOW))
    assert person_of([working]).hard_rules(ALL) == ("open_handoff",)
    ended = with_record(working, HandoffSeen(4, NOW, "h", "disqualified", NOW))
    assert person_of([ended]).hard_rules(ALL) == ("disqualified",)


def test_a_handoff_ends_once_and_a_merged_one_lives_on() -> None:
    ok = Member(A)
    ended = with_record(ok, HandoffSeen(5, NOW, "h", "lost", NOW))
    ended = with_record(ended, HandoffSeen(6, NOW + 9, "h", "nurture", NOW + 9))
    assert person_of([ended]).closed_us == NOW
    assert person_of([with_record(ok, HandoffSeen(5, NOW, "h", "merged", NOW))]).closed_us == 0


def test_a_lower_version_changes_nothing() -> None:
    new = with_record(Member(A), profile(2, {"title_level": "vp"}, known_us=NOW))
    same = with_record(new, profile(1, {"title_level": "staff"}, known_us=NOW - 5))
    assert same.profile == new.profile
    assert same.known_since_us == NOW - 5
    assert with_record(new, profile(1, {}, is_known=False)) == new


def test_handoffs_of_a_lead_are_bounded() -> None:
    lead = Member(A)
    for number in range(60):
        lead = with_record(lead, HandoffSeen(1, NOW + number, f"h{number}", "nurture", NOW + number))
    assert len(lead.handoffs) == 50
    assert "h59" in lead.handoffs


def test_a_decision_scores_again_from_its_stored_facts() -> None:
    lead = with_record(
        member(A, "pricing_viewed", "webinar_attended", "email_spam", days_ago=3), profile(1, {"title_level": "vp"})
    )
    person = person_of([lead])
    facts = {name: value for name, (value, _) in facts_of(person, NOW, rule=RULE).items()}
    bins = CardLine(fact="days_since.pricing_viewed", kind="number", cuts=(2.0, 10.0), points=(9, 4, -7))
    for family in ("points_platt", "scorecard"):
        card = ModelCard(family=family, agreement_version=1, base=-60, a=1.0, lines=(bins,))
        model = Model(UUID(int=5), card, 0.3)
        first = score_of(person.sums, person.attributes, now_us=NOW, rule=RULE, model=model)
        assert score_of_facts(facts, rule=RULE, model=model) == first
        assert sum(points for _, points in first.lines) == first.score
        assert first.p_win is not None


def test_65_means_the_agreed_probability_under_a_scorecard() -> None:
    card = ModelCard(family="scorecard", agreement_version=1, base=0, a=0.0)
    score = score_of(NO_SUMS, {}, now_us=NOW, rule=RULE, model=Model(UUID(int=5), card, 0.5))
    assert (score.score, score.p_win) == (65, 0.5)


def test_a_scorecard_is_clamped_with_a_line_of_its_own() -> None:
    card = ModelCard(family="scorecard", agreement_version=1, base=200, a=0.0)
    score = score_of(NO_SUMS, {}, now_us=NOW, rule=RULE, model=Model(UUID(int=5), card, 0.5))
    assert score.score == 100
    assert score.lines == (("model:start=100", 265), ("clamp", -165))


def test_a_scorecard_says_which_criteria_and_acts_counted_and_how_much() -> None:
    lead = with_record(member(A, "pricing_viewed", "webinar_attended"), profile(1, {"title_level": "vp"}))
    person = person_of([lead])
    bins = (
        CardLine(fact="title_level", kind="category", values=(CategoryPoints(value="vp", points=6),), rare=-3),
        CardLine(fact="country", kind="category", missing=-2),
        CardLine(fact="weight.pricing_viewed@14d", kind="number", cuts=(0.5,), points=(0, 4)),
    )
    card = ModelCard(family="scorecard", agreement_version=1, base=-40, a=0.5, lines=bins)
    score = score_of(person.sums, person.attributes, now_us=NOW, rule=RULE, model=Model(UUID(int=5), card, 0.5))
    # Half of 20 + 20 + 15 signed points; 65 is an even chance, so S = -40 + 28 + 6 - 2 + 4 = -4 shows as 61.
    assert dict(score.lines) == {
        "title_level=vp": 10,
        "pricing_viewed": 10,
        "webinar_attended": 8,
        "model:title_level=vp": 6,
        "model:country": -2,
        "model:weight.pricing_viewed@14d=1.0": 4,
        "model:start=47": 25,
    }
    assert score.score == sum(points for _, points in score.lines) == 61
    assert [name for name, _ in top_reasons(score.lines)] == ["title_level=vp", "pricing_viewed", "webinar_attended"]


def test_what_bounds_the_points_under_a_scorecard_is_apart_from_the_bounds_of_the_score() -> None:
    lead = with_record(
        member(A, "demo_requested", "pricing_viewed", "webinar_attended"),
        profile(1, {"title_level": "c_level", "department": "buying"}),
    )
    firm = Link(1, NOW, ACCOUNT, {"is_target_industry": "true", "staff_band": "201-1000"})
    person = person_of([with_record(lead, firm)])
    pointed = score_of(person.sums, person.attributes, now_us=NOW, rule=RULE)
    assert (pointed.score, "clamp" in dict(pointed.lines)) == (100, True)
    card = ModelCard(family="scorecard", agreement_version=1, base=-90, a=1.0)
    score = score_of(person.sums, person.attributes, now_us=NOW, rule=RULE, model=Model(UUID(int=5), card, 0.5))
    assert dict(score.lines)["clamp:points"] == dict(pointed.lines)["clamp"]
    assert sum(points for _, points in score.lines) == score.score == 75


def test_calibrated_points_keep_their_lines_and_say_what_they_are_worth_as_a_chance() -> None:
    person = person_of([with_record(member(A, "pricing_viewed"), profile(1, {"title_level": "vp"}))])
    pointed = score_of(person.sums, person.attributes, now_us=NOW, rule=RULE)
    card = ModelCard(family="points_platt", agreement_version=1, base=-60, a=1.0)
    score = score_of(person.sums, person.attributes, now_us=NOW, rule=RULE, model=Model(UUID(int=5), card, 0.3))
    assert score.lines == (*pointed.lines, ("model:chance=33", 0))
    assert (score.score, top_reasons(score.lines)) == (pointed.score, top_reasons(pointed.lines))
