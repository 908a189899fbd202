"""When a decision happened: a pure function of the facts, whatever order they came in and however late."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.criteria import compile_rule
from services.scoring.domain.facts import NO_SUMS, Activity, fold
from services.scoring.domain.happened import Happened, past_of, person_crossed_us
from services.scoring.domain.judge import judge
from services.scoring.domain.member import Attributes, Link, Member, Permission, with_record
from services.scoring.domain.person import person_of
from services.scoring.domain.qualify import NEVER, Outcome
from shared.contracts.agreement import default_agreement
from shared.ids import AccountId, ActivityId, LeadId, derived_id

RULE = compile_rule(default_agreement().criteria_of("default"))
HOUR = 3_600_000_000
NOW = 1_780_000_000_000_000
KIM = LeadId(UUID(int=1))
KINDS = ["pricing_viewed", "webinar_attended", "webinar_registered", "email_click", "email_open", "demo_requested"]


@st.composite
def activity(draw: st.DrawFn) -> Activity:
    occurred = NOW - draw(st.integers(1, 400)) * HOUR
    own = ActivityId(derived_id("activity", draw(st.integers(0, 10**9))))
    kind, recorded = draw(st.sampled_from(KINDS)), draw(st.integers(occurred, NOW))
    return Activity(own, KIM, kind, None, None, "server_key", occurred, recorded, draw(st.sampled_from([0.1, 1.0])))


@st.composite
def records(draw: st.DrawFn) -> list[Happened]:
    def ago() -> int:
        return NOW - draw(st.integers(1, 400)) * HOUR

    found = [Happened(KIM, Link(1, NOW, AccountId(UUID(int=9)), {"is_target_industry": "true"}), ago())]
    for version in range(1, draw(st.integers(1, 3)) + 1):
        values = {"title_level": draw(st.sampled_from(["vp", "staff"])), "entry_channel": "web"}
        found.append(Happened(KIM, Attributes(version, NOW, values, is_known=version > 1), ago()))
        given_now = draw(st.sampled_from(["granted", "unknown"]))
        permission = Permission(version, NOW, "profiling", given_now, is_allowed=given_now == "granted")
        found.append(Happened(KIM, permission, ago()))
    return found


def dated(activities: Sequence[Activity], told: Sequence[Happened]) -> tuple[Outcome, str, int]:
    member = Member(KIM, sums=fold(NO_SUMS, activities, rule=RULE))
    for each in told:
        member = with_record(member, each.record)
    person = person_of([member])
    verdict = judge(person, NEVER, now_us=NOW, rule=RULE).verdict
    past = past_of(person, activities, told, rule=RULE)
    return verdict.outcome, verdict.policy, person_crossed_us(past, NEVER, verdict, now_us=NOW, rule=RULE)


def history() -> st.SearchStrategy[list[Activity]]:
    return st.lists(activity(), max_size=10, unique_by=lambda one: one.activity_id)


@settings(max_examples=80)
@given(st.data(), history(), records())
def test_no_order_and_no_delay_moves_it(data: st.DataObject, seen: list[Activity], told: list[Happened]) -> None:
    found = dated(seen, told)
    late = [one._replace(recorded_us=data.draw(st.integers(one.occurred_us, NOW))) for one in seen]
    again = dated(data.draw(st.permutations(late)), data.draw(st.permutations(told)))
    if sum(one.kind == "demo_requested" and one.human > 0.5 for one in seen) <= 1:
        assert again == found  # of several asks the one learned last counts, so their delays matter
    assert dated(data.draw(st.permutations(seen)), data.draw(st.permutations(told))) == found


@settings(max_examples=80)
@given(history(), records())
def test_it_is_the_first_moment_from_which_the_decision_holds(seen: list[Activity], told: list[Happened]) -> None:
    outcome, policy, at = dated(seen, told)
    if outcome is not Outcome.QUALIFY:
        return
    assert at <= NOW
    assert at in {each.counts_from_us for each in seen} | {each.at_us for each in told}
    if policy == "hand_raiser":
        assert at >= min(each.occurred_us for each in seen if each.kind == "demo_requested" and each.human > 0.5)
    without_it = [each for each in seen if each.counts_from_us < at]
    needed = [each for each in told if each.record.version == 1 or each.at_us < at]
    member = Member(KIM, sums=fold(NO_SUMS, without_it, rule=RULE))
    for each in needed:
        member = with_record(member, each.record)
    before = judge(person_of([member]), NEVER, now_us=at, rule=RULE).verdict
    assert (before.outcome, before.policy) != (outcome, policy)
