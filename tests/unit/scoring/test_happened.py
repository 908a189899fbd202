"""One rule each: when in the world what a decision rests on had happened, however late we learned of it."""

from collections.abc import Sequence
from itertools import count
from uuid import UUID

import pytest

from services.scoring.domain.criteria import compile_rule
from services.scoring.domain.decay import DAY_US
from services.scoring.domain.facts import NO_SUMS, Activity, fold, without
from services.scoring.domain.happened import STEPS_MAX, Happened, crossed_us, past_of, person_crossed_us, steps_for
from services.scoring.domain.judge import judge
from services.scoring.domain.member import Attributes, Deal, HandoffSeen, Link, Member, Permission, with_record
from services.scoring.domain.person import person_of
from services.scoring.domain.qualify import NEVER, Outcome, Standing
from shared.contracts.agreement import default_agreement
from shared.ids import AccountId, ActivityId, LeadId, derived_id

RULE = compile_rule(default_agreement().criteria_of("default"))
HOUR = 3_600_000_000
NOW = 1_780_000_000_000_000
KIM, LEE = LeadId(UUID(int=1)), LeadId(UUID(int=2))
ACCOUNT = AccountId(UUID(int=9))
ids = count()


def hours(ago: float) -> int:
    return NOW - round(ago * HOUR)


def did(kind: str, ago: float, *, lead: LeadId = KIM, learned: float = 0, content: str | None = None) -> Activity:
    own = ActivityId(derived_id("did", next(ids)))
    return Activity(own, lead, kind, content, None, "server_key", hours(ago), hours(learned), 1.0)


def known(ago: float, *, version: int = 1, lead: LeadId = KIM, is_known: bool = True, title: str = "vp") -> Happened:
    values = {"title_level": title, "entry_channel": "web"}
    return Happened(lead, Attributes(version, NOW, values, is_known), hours(ago))


def allowed(ago: float, *, version: int = 1, given: str = "granted", lead: LeadId = KIM) -> Happened:
    return Happened(lead, Permission(version, NOW, "profiling", given, given == "granted"), hours(ago))


def linked(ago: float, *, version: int = 1, lead: LeadId = KIM) -> Happened:
    return Happened(lead, Link(version, NOW, ACCOUNT, {"is_target_industry": "true"}), hours(ago))


KNOWN = (known(0), allowed(0), linked(0))  # all of it learned and told only now, and true from the beginning


def dated(
    *activities: Activity,
    records: Sequence[Happened] = KNOWN,
    standing: Standing = NEVER,
    seen: Sequence[Activity] | None = None,
    joined: float | None = None,
) -> tuple[Outcome, str, float]:
    """What is decided now, and how many hours ago it happened."""
    members = {lead: Member(lead) for lead in ((KIM,) if joined is None else (KIM, LEE))}
    for each in records:
        members[each.lead_id] = with_record(members[each.lead_id], each.record)
    for lead, member in members.items():
        own = [each for each in activities if each.member_id == lead]
        members[lead] = member._replace(sums=fold(NO_SUMS, own, rule=RULE))
    person = person_of(list(members.values()))
    past = past_of(
        person,
        activities if seen is None else seen,
        records,
        rule=RULE,
        joined_us={} if joined is None else {LEE: hours(joined)},
    )
    verdict = judge(person, standing, now_us=NOW, rule=RULE).verdict
    at = person_crossed_us(past, standing, verdict, now_us=NOW, rule=RULE)
    return verdict.outcome, verdict.policy, (NOW - at) / HOUR


def test_who_asks_is_dated_by_the_ask_itself() -> None:
    assert dated(did("demo_requested", 5)) == (Outcome.QUALIFY, "hand_raiser", 5)


def test_what_came_after_the_ask_does_not_date_it() -> None:
    later = [did("pricing_viewed", 3), did("demo_requested", 2), did("email_open", 1)]
    assert dated(*later, did("demo_requested", 5))[2] == 5


def test_an_ask_of_a_clock_that_runs_ahead_happened_when_we_learned_of_it() -> None:
    assert dated(did("demo_requested", -3, learned=2))[2] == 2


def test_points_are_dated_by_the_latest_activity_that_the_crossing_needed() -> None:
    needed = [did("pricing_viewed", 9), did("webinar_attended", 7)]
    assert dated(*needed) == (Outcome.QUALIFY, "qualified", 7)
    assert dated(*needed, did("webinar_registered", 4))[2] == 7
    assert dated(*reversed(needed), did("pricing_viewed", 8))[2] == 8  # two views of the prices are enough


def test_permission_that_came_after_the_ask_dates_it() -> None:
    records = (known(9), linked(9), allowed(9, given="unknown"), allowed(3, version=2))
    assert dated(did("demo_requested", 5), records=records)[2] == 3


def test_who_said_who_it_is_after_the_ask_is_dated_by_that() -> None:
    records = (known(9, is_known=False), allowed(9), known(2, version=2))
    assert dated(did("demo_requested", 5), records=records)[2] == 2


def test_a_title_that_lifts_the_fit_dates_the_crossing() -> None:
    records = (known(9, title="staff"), allowed(9), known(4, version=2, title="vp"))
    seen = [did("pricing_viewed", 8), did("webinar_attended", 7), did("pricing_viewed", 6)]
    assert dated(*seen, records=records) == (Outcome.QUALIFY, "qualified", 4)


def test_a_record_that_came_first_was_true_from_the_beginning() -> None:
    assert dated(did("demo_requested", 5), records=(known(1), allowed(2), linked(3)))[2] == 5


def test_the_end_of_a_dwell_dates_what_waited_for_it() -> None:
    left = Standing(since_us=hours(72.5), number=1, flips=2)
    assert dated(did("pricing_viewed", 9), did("webinar_attended", 7), standing=left)[2] == 0.5


def test_a_score_that_faded_left_at_the_instant_it_fell() -> None:
    seen = [did("pricing_viewed", 40 * 24), did("webinar_registered", 40 * 24)]
    stood = Standing(is_qualified=True, since_us=hours(40 * 24), number=1, policy="qualified", has_stood=True)
    outcome, _, ago = dated(*seen, standing=stood)
    assert outcome is Outcome.DEMOTE
    assert 0 < ago < 37 * 24
    again, _, as_seen_later = dated(*[each._replace(recorded_us=NOW) for each in seen], standing=stood)
    assert (again, as_seen_later) == (Outcome.DEMOTE, ago)


def test_a_withdrawal_ends_it_when_it_was_said() -> None:
    stood = Standing(is_qualified=True, since_us=hours(9), number=1, policy="hand_raiser", has_stood=True)
    records = (*KNOWN, allowed(4, version=2, given="withdrawn"))
    assert dated(did("demo_requested", 9), records=records, standing=stood) == (Outcome.DEMOTE, "none", 4)


def test_an_ask_while_a_scored_handoff_is_open_is_dated_by_the_ask() -> None:
    stood = Standing(is_qualified=True, since_us=hours(9), number=1, policy="qualified", has_stood=True)
    records = (*KNOWN, Happened(KIM, HandoffSeen(1, NOW, "h", "working", hours(8)), hours(8)))
    assert dated(did("demo_requested", 3), records=records, standing=stood) == (Outcome.CONFIRM, "hand_raiser", 3)


def test_one_that_asked_while_barred_is_dated_by_what_freed_it() -> None:
    records = (
        *KNOWN,
        Happened(KIM, Deal(1, NOW - 2, "deal", "won"), hours(9)),
        Happened(KIM, Deal(2, NOW - 1, "deal", "churned"), hours(2)),
    )
    assert dated(did("demo_requested", 5), records=records)[2] == 2


def test_a_merge_dates_what_it_made() -> None:
    records = (*KNOWN, known(0, lead=LEE), allowed(0, lead=LEE))
    seen = [did("pricing_viewed", 9), did("webinar_attended", 7, lead=LEE)]
    assert dated(*seen, records=records, joined=4)[2] == 4
    assert dated(*seen, records=records, joined=8)[2] == 7


def test_an_explored_lead_is_dated_by_its_draw() -> None:
    person = person_of([with_record(Member(KIM), Attributes(1, hours(30.5), {"title_level": "vp"}, True))])
    past = past_of(person, [], [], rule=RULE)
    drawn = judge(person, NEVER, now_us=NOW, rule=RULE).verdict._replace(outcome=Outcome.QUALIFY, policy="explored")
    at = person_crossed_us(past, NEVER, drawn, now_us=NOW, rule=RULE)
    assert hours(6.5) <= at < hours(5.5)
    assert person_crossed_us(past, NEVER, drawn, now_us=hours(9), rule=RULE) == hours(9)


def test_what_is_older_than_the_looked_at_activities_still_counts() -> None:
    old, new = did("pricing_viewed", 9), did("webinar_attended", 7)
    assert dated(old, new, seen=[new])[2] == 7
    asked = did("demo_requested", 9)
    assert dated(asked, did("email_click", 7), seen=[])[2] == 0  # nothing to go back to: it is dated now


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_taking_activities_back_leaves_the_sums_of_the_others(taken: int) -> None:
    seen = [did("pricing_viewed", 9), did("pricing_viewed", 8), did("demo_requested", 7)]
    rest = fold(NO_SUMS, seen[taken:], rule=RULE)
    found = without(fold(NO_SUMS, seen, rule=RULE), seen[:taken], rule=RULE)
    assert {key: (each.weight, each.times) for key, each in found.tallies.items()} == {
        key: (each.weight, each.times) for key, each in rest.tallies.items()
    }
    assert found.ask == rest.ask
    software = did("pricing_viewed", 9)._replace(human=0.1)
    assert without(rest, [software], rule=RULE) == rest


def test_the_walk_back_has_an_end() -> None:
    instants = [hours(each) for each in range(STEPS_MAX * 2)]
    assert crossed_us(instants, NOW, holds=lambda _until, _at: True) == hours(STEPS_MAX - 1)
    assert crossed_us([], NOW, holds=lambda _until, _at: True) == NOW
    assert crossed_us([NOW - DAY_US], NOW, holds=lambda _until, at: at >= NOW - 7) == NOW - 7


def test_the_walk_back_over_many_people_is_as_long_in_all() -> None:
    instants = [hours(each) for each in range(STEPS_MAX)]
    assert crossed_us(instants, NOW, holds=lambda _until, _at: True, steps_max=3) == hours(2)
    assert crossed_us(instants, NOW, holds=lambda _until, _at: True, steps_max=0) == NOW
    assert (steps_for(0), steps_for(1), steps_for(50)) == (STEPS_MAX, STEPS_MAX, STEPS_MAX)
    assert (steps_for(1_000), steps_for(5_000), steps_for(5_001)) == (5, 1, 0)
