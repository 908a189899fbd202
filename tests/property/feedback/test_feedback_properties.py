"""Credits sum, labels are rebuilt bit for bit, the funnel recounts, handoff events fold in any order."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.domain.attribution import MODELS, Touching, credits_of, touchpoints
from services.feedback.domain.commitments import MEASURES, Facts, Period, Qualification
from services.feedback.domain.funnel import STAGES, Journey, by_group, funnel
from services.feedback.domain.handoffs import Step, fold
from services.feedback.domain.labels import Ending, Standing, curves, label, soft_labels
from services.feedback.domain.speed import speed
from shared.ids import derived_id
from tests.support.builders.feedback import START, clock, days, handed, handoff_id, lead_id, step, touch

JUNE = Period(since=datetime(2026, 6, 1, tzinfo=UTC), until=datetime(2026, 7, 1, tzinfo=UTC))
moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
touches = st.builds(
    touch,
    st.just("a"),
    moments,
    kind=st.sampled_from(["page_view", "form_submit", "email_click", "email_sent"]),
    human=st.sampled_from([0.0, 0.4, 1.0]),
    traffic_source=st.sampled_from(["", "ads", "news"]),
    channel=st.sampled_from(["web", "email", "field_event"]),
)
kinds = st.sampled_from(["assigned", "accepted", "rejected", "touched", "escalated", "disposed", "closed"])
states = st.sampled_from(["met", "breached", "armed", "void"])


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Steps of one handoff, seq from 1, each at a later moment."""
    found = [step(1, "opened", at=draw(moments))]
    for seq in range(2, 2 + draw(st.integers(0, 6))):
        kind = draw(kinds)
        known = (clock(draw(st.sampled_from(["accept", "touch", "dispose"])), draw(states), due_at=draw(moments)),)
        found.append(
            step(
                seq,
                kind,
                at=found[-1].at + timedelta(minutes=draw(st.integers(0, 9_000))),
                reason_code=draw(st.sampled_from(["", "bad_data", "no_fit"])),
                disposition=draw(st.sampled_from(["opportunity", "recycle", "return"])) if kind == "disposed" else "",
                clocks=known,
                clock_id=known[0].clock_id,
                state=draw(st.sampled_from(["assigned", "working", "nurture", "won"])),
            )
        )
    return found


@given(st.lists(touches, max_size=12), st.integers(-(10**9), 10**9), moments)
def test_credits_sum_to_the_amount_exactly_under_every_model(
    told: list[Touching], amount: int, until: datetime
) -> None:
    points = touchpoints(told, until=until)
    for model in MODELS:
        credited = credits_of(amount, points, model)
        assert sum(each.amount_minor for each in credited) == amount
        assert all(each.touchpoint is None or each.touchpoint.occurred_at <= until for each in credited)


@given(st.lists(touches, max_size=12), st.randoms(use_true_random=False))
def test_touchpoints_do_not_depend_on_the_order_of_arrival(told: list[Touching], dice: object) -> None:
    unique = {each.activity_id: each for each in told}
    shuffled = list(unique.values())
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    assert touchpoints(shuffled, until=days(50)) == touchpoints(unique.values(), until=days(50))


endings = st.builds(
    lambda name, at, late, verdict: Ending(
        outcome_id=derived_id("o", name, at, late, verdict),
        handoff_id=handoff_id(name),
        verdict=verdict,
        occurred_at=START + timedelta(days=at),
        recorded_at=START + timedelta(days=at + late),
    ),
    st.integers(0, 30),
    st.floats(0, 60),
    st.floats(0, 30),
    st.sampled_from(["win", "loss", "none"]),
)


@given(st.lists(endings, max_size=40), st.floats(0, 100), st.randoms(use_true_random=False))
def test_labels_of_a_past_moment_are_rebuilt_bit_for_bit_from_the_longer_log(
    told: list[Ending], moment: float, dice: object
) -> None:
    rows = [handed(name, at=days(name)) for name in range(30)]
    as_of = days(moment)
    known_then = [each for each in told if each.recorded_at <= as_of]
    shuffled = list(told)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    then = label(rows, known_then, as_of=as_of, horizon_days=45)
    now = label(rows, shuffled, as_of=as_of, horizon_days=45)
    assert (then.rows, then.standings, set(then.conflicts)) == (now.rows, now.standings, set(now.conflicts))
    assert np.array_equal(then.delays, now.delays, equal_nan=True)
    first, second = (curves(each, horizon_days=45) for each in (then, now))
    guess = np.full(len(then.rows), 0.3)
    soft = soft_labels(then, first, guess)
    assert np.array_equal(soft, soft_labels(now, second, guess))
    assert bool(np.all((soft >= 0) & (soft <= 1)))
    assert all(soft[at] == 1 for at, each in enumerate(then.standings) if each is Standing.WON)


journeys = st.builds(
    lambda number, reached, group: Journey(lead_id=lead_id(number), reached=reached, group=group),
    st.integers(0, 10**6),
    st.dictionaries(st.sampled_from(STAGES), moments, max_size=len(STAGES)),
    st.sampled_from(["ads", "direct", "news"]),
)


@given(st.lists(journeys, max_size=30, unique_by=lambda each: each.lead_id))
def test_the_funnel_only_narrows_and_groups_recount_to_the_whole(told: list[Journey]) -> None:
    whole = funnel(told, since=JUNE.since, until=JUNE.until)
    counts = [len(bar.lead_ids) for bar in whole.bars]
    assert counts == sorted(counts, reverse=True)
    for before, after in zip(whole.bars, whole.bars[1:], strict=False):
        assert set(after.lead_ids) <= set(before.lead_ids)
        assert after.median_days is None or after.median_days >= 0
    groups = by_group(told, since=JUNE.since, until=JUNE.until).values()
    for at in range(len(STAGES)):
        assert sum(len(group.bars[at].lead_ids) for group in groups) == counts[at]


@given(steps(), st.randoms(use_true_random=False))
def test_a_handoff_folds_to_the_same_record_in_any_order_with_repeats(told: list[Step], dice: object) -> None:
    shuffled = [*told, *told]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    assert fold(handoff_id("a"), lead_id("a"), shuffled) == fold(handoff_id("a"), lead_id("a"), told)


@given(st.lists(steps(), max_size=8), moments)
def test_every_measure_counts_each_handoff_at_most_once_per_clock_and_needs_no_store(
    told: list[list[Step]], now: datetime
) -> None:
    records = [fold(handoff_id(at), lead_id(at), own) for at, own in enumerate(told)]
    facts = Facts([Qualification(record.lead_id, record.opened_at) for record in records], records)
    for name, measure in MEASURES.items():
        found = measure.sort(facts, JUNE, now)
        assert not {*found.kept} & {*found.missed} or name in {"accepted_in_time_share", "first_touch_in_time_share"}
        counted = [*found.kept, *found.missed, *found.undecided]
        clocks = sum(len(record.clocks()) for record in records)
        assert len(counted) <= max(len(records), clocks)


@given(st.lists(steps(), max_size=8))
def test_bands_of_speed_hold_every_touched_handoff_once(told: list[list[Step]]) -> None:
    records = [fold(handoff_id(at), lead_id(at), own) for at, own in enumerate(told)]
    found = speed(records, since=JUNE.since, until=JUNE.until)
    assert sum(len(ids) for ids in found.bands().values()) == len(found.seconds)
    opened = [record for record in records if JUNE.since <= record.opened_at < JUNE.until]
    assert len(found.seconds) + len(found.waiting) == len(opened)
