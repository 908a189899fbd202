"""What holds for every history: order, repeats and delays change nothing; scores are monotone, bounded and add up."""

from collections.abc import Sequence
from itertools import pairwise
from math import fsum
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.criteria import compile_rule
from services.scoring.domain.crossing import HORIZON_US, RESOLUTION_US, course_of, next_below, next_qualifying
from services.scoring.domain.decay import DAY_US, decayed, weight_of
from services.scoring.domain.facts import NO_SUMS, Activity, Sums, fold, fold_as_of, join
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
from services.scoring.domain.qualify import NEVER, Case, Outcome, decide
from services.scoring.domain.scorecard import points_score, rounded, score_of, shown
from shared.contracts.agreement import default_agreement
from shared.contracts.kinds import ActivityKind
from shared.ids import AccountId, ActivityId, LeadId, derived_id

RULE = compile_rule(default_agreement().criteria_of("default"))
NOW = 1_780_000_000_000_000
CONTENTS = [None, "blog", "careers", "case_study", "contact_sales", "white_paper", "other"]
MEMBERS = [LeadId(UUID(int=number)) for number in (1, 2, 3)]
PARTS = st.lists(st.tuples(st.text(max_size=3), st.floats(-200, 200)), max_size=12)


@st.composite
def activity(draw: st.DrawFn) -> Activity:
    occurred = NOW - draw(st.integers(0, 300 * DAY_US))
    return Activity(
        activity_id=ActivityId(derived_id("activity", draw(st.integers(0, 10**9)))),
        member_id=draw(st.sampled_from(MEMBERS)),
        kind=draw(st.sampled_from([kind.value for kind in ActivityKind])),
        content=draw(st.sampled_from(CONTENTS)),
        is_hard=draw(st.sampled_from([None, True, False])),
        verified_by="server_key",
        occurred_us=occurred,
        recorded_us=occurred + draw(st.integers(-DAY_US, 20 * DAY_US)),
        human=draw(st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0])),
    )


def activities(max_size: int = 12) -> st.SearchStrategy[list[Activity]]:
    return st.lists(activity(), max_size=max_size, unique_by=lambda one: one.activity_id)


def by_member(history: Sequence[Activity]) -> Sums:
    return join(fold(NO_SUMS, [one for one in history if one.member_id == lead], rule=RULE) for lead in MEMBERS)


@given(st.data(), activities())
def test_any_order_any_batches_and_any_tree_give_the_same_sums(data: st.DataObject, history: list[Activity]) -> None:
    whole = fold(NO_SUMS, history, rule=RULE)
    shuffled = data.draw(st.permutations(history))
    cut = data.draw(st.integers(0, len(history)))
    assert fold(fold(NO_SUMS, shuffled[:cut], rule=RULE), shuffled[cut:], rule=RULE) == whole
    assert by_member(shuffled) == whole
    assert join([by_member(shuffled), NO_SUMS]) == whole


@given(activities(), activities(), st.integers(0, 300 * DAY_US))
def test_facts_as_of_a_moment_do_not_change_by_what_is_recorded_later(
    early: list[Activity], late: list[Activity], ago: int
) -> None:
    as_of = NOW - ago
    later = [one._replace(recorded_us=max(one.recorded_us, as_of + 1)) for one in late]
    before = fold_as_of(early, as_of, rule=RULE)
    assert fold_as_of([*later, *early], as_of, rule=RULE) == before


@given(activities(), activity(), st.integers(0, 400 * DAY_US))
def test_one_more_positive_activity_never_lowers_a_score(history: list[Activity], more: Activity, after: int) -> None:
    feeds = RULE.match(more.kind, more.content, more.is_hard, more.verified_by).lines
    if any(line.points < 0 for line in feeds):
        return
    now = NOW + 30 * DAY_US + after
    before = score_of(fold(NO_SUMS, history, rule=RULE), {}, now_us=now, rule=RULE)
    assert score_of(fold(NO_SUMS, [*history, more], rule=RULE), {}, now_us=now, rule=RULE).score >= before.score


@given(activities(), st.integers(0, 400 * DAY_US), st.integers(0, 100 * DAY_US))
def test_without_negative_points_a_score_only_falls_while_nothing_happens(
    history: list[Activity], after: int, more: int
) -> None:
    good = [
        one
        for one in history
        if all(line.points > 0 for line in RULE.match(one.kind, one.content, one.is_hard, one.verified_by).lines)
    ]
    sums = fold(NO_SUMS, good, rule=RULE)
    now = NOW + 30 * DAY_US + after
    first = score_of(sums, {}, now_us=now, rule=RULE).score
    assert score_of(sums, {}, now_us=now + more, rule=RULE).score <= first


@given(activities(max_size=30), st.sampled_from(["vp", "student", "c_level", "staff"]), st.booleans())
def test_lines_add_up_to_the_score_and_stay_within_their_caps(
    history: list[Activity],
    title: str,
    is_competitor: bool,  # noqa: FBT001 - a drawn value
) -> None:
    attributes = {"title_level": title, "is_competitor": str(is_competitor).lower()}
    score = score_of(fold(NO_SUMS, history, rule=RULE), attributes, now_us=NOW + 30 * DAY_US, rule=RULE)
    assert sum(points for _, points in score.lines) == score.score
    assert 0 <= score.score <= 100
    for line in RULE.lines:
        gained = sum(points for name, points in score.lines if name == line.name and points > 0)
        assert line.cap is None or gained <= line.cap + 1


@given(PARTS)
def test_rounded_parts_add_up_and_none_is_a_whole_point_off(parts: list[tuple[str, float]]) -> None:
    found = rounded(parts)
    assert sum(points for _, points in found) == shown(fsum(points for _, points in parts))
    assert all(abs(points - part) < 1 for (_, points), (_, part) in zip(found, parts, strict=True))
    score = points_score(parts, [])
    assert sum(points for _, points in score.lines) == score.score


@given(st.integers(-(10**15), 2 * 10**15), st.integers(0, 500 * DAY_US), st.integers(0, 500 * DAY_US))
def test_decay_composes_over_time(at: int, first: int, second: int) -> None:
    half_life = 14 * DAY_US
    weight = weight_of(at, human=1.0, half_life=half_life)
    whole = decayed(weight, at + first + second, half_life=half_life)
    step = decayed(weight, at + first, half_life=half_life) * 2.0 ** (-second / half_life)
    assert abs(whole - step) <= 1e-12 * max(whole, 1e-300) + 1e-300


@settings(max_examples=60)
@given(activities(max_size=20), st.integers(-60, 70), st.integers(5, 90))
def test_the_next_crossing_is_the_first_instant_at_which_it_holds(
    history: list[Activity], fit: int, threshold: int
) -> None:
    sums, start = fold(NO_SUMS, history, rule=RULE), NOW + 30 * DAY_US
    course = course_of(sums, fit, rule=RULE)

    def raw(at: int) -> float:
        return course.fit + course.positive(at) + course.negative(at)

    below = next_below(course, threshold, from_us=start)
    rising = next_qualifying(course, threshold, 10, from_us=start)
    looked = [start + HORIZON_US * step // 200 for step in range(200)]
    if below is None:
        assert all(raw(at) >= threshold - 0.5 for at in looked)
    else:
        assert raw(below) < threshold - 0.5
        assert all(
            raw(at) >= threshold - 0.5
            for at in [*looked, below - RESOLUTION_US]
            if start <= at <= below - RESOLUTION_US
        )
    if rising is not None:
        assert raw(rising) >= threshold - 0.5
        assert all(
            raw(at) < threshold - 0.5 or course.positive(at) + course.negative(at) < 9.5
            for at in looked
            if at <= rising - RESOLUTION_US
        )


@st.composite
def record(draw: st.DrawFn) -> Record:
    version = draw(st.integers(1, 4))
    known = NOW + version * 10
    value = f"v{version}"  # equal versions are the same record
    found: list[Record] = [
        Attributes(version, known, {"title_level": value}, is_known=version % 2 == 0),
        Link(version, known, AccountId(UUID(int=version)), {"industry": value}),
        Permission(
            version, known, "profiling", "granted" if version % 2 else "withdrawn", is_allowed=bool(version % 2)
        ),
        HandoffSeen(version, known, "h1", "working" if version % 2 else "opportunity", known),
        Deal(version, known, "d1", "won" if version % 2 else "lost"),
    ]
    return draw(st.sampled_from(found))


@given(st.data(), st.lists(record(), max_size=12))
def test_records_in_any_order_and_with_repeats_give_the_same_member(data: st.DataObject, records: list[Record]) -> None:
    def all_of(listed: Sequence[Record]) -> Member:
        member = Member(MEMBERS[0])
        for one in listed:
            member = with_record(member, one)
        return member

    repeated = data.draw(st.permutations([*records, *records[: len(records) // 2]]))
    assert all_of(repeated) == all_of(records)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 100), st.integers(0, 60)), max_size=30))
def test_two_entries_by_score_are_never_closer_than_the_dwell(steps: list[tuple[int, int, int]]) -> None:
    limits, standing, now, entries = RULE.thresholds("web"), NEVER, NOW, []
    for hours, score, engagement in steps:
        now += hours * 3_600_000_000
        case = Case(score, 40, engagement, now, (), None, now, is_known=True, has_open_handoff=False)
        verdict = decide(standing, case, thresholds=limits)
        standing = verdict.standing
        if verdict.outcome is Outcome.QUALIFY:
            entries.append(now)
            assert verdict.propensity == 1.0
    assert all(later - first >= limits.dwell_us for first, later in pairwise(entries))
    assert standing.number == len(entries)


@given(st.data(), activities())
def test_a_merge_sets_a_pointer_and_a_split_clears_it(data: st.DataObject, history: list[Activity]) -> None:
    parts = {
        lead: Member(lead, sums=fold(NO_SUMS, [one for one in history if one.member_id == lead], rule=RULE))
        for lead in MEMBERS
    }
    order = data.draw(st.permutations(MEMBERS))
    now = NOW + 30 * DAY_US
    alone = [score_of(person_of([parts[lead]]).sums, {}, now_us=now, rule=RULE) for lead in MEMBERS]
    tree = score_of(person_of([parts[lead] for lead in order]).sums, {}, now_us=now, rule=RULE)
    assert tree == score_of(fold(NO_SUMS, history, rule=RULE), {}, now_us=now, rule=RULE)
    assert alone == [score_of(person_of([parts[lead]]).sums, {}, now_us=now, rule=RULE) for lead in MEMBERS]
