"""What becomes of a batch, rule by rule."""

import pytest

from shared.stream import flow
from shared.stream.flow import Breaker, Contiguity, Failure, Guard, Move, Slice


def test_a_fresh_batch_is_applied_whole() -> None:
    work = flow.begin(500)
    assert (work.slices, work.move) == ((Slice(0, 500),), Move.APPLY)
    assert flow.succeeded(work).move is Move.DONE


def test_a_transient_failure_repeats_the_same_slice_for_ever() -> None:
    work = flow.begin(10)
    for number in range(1, 1_000):
        work = flow.failed(work, Failure.TRANSIENT)
        assert (work.first, work.move, work.transient) == (Slice(0, 10), Move.BACK_OFF, number)


def test_a_deterministic_failure_halves_the_slice() -> None:
    work = flow.failed(flow.begin(5), Failure.DETERMINISTIC)
    assert work.slices == (Slice(0, 2), Slice(2, 5))
    assert work.move is Move.APPLY


def test_a_lone_record_gets_one_more_try_and_is_then_parked() -> None:
    work = flow.failed(flow.begin(1), Failure.DETERMINISTIC)
    assert work.move is Move.APPLY
    assert flow.failed(work, Failure.DETERMINISTIC).move is Move.PARK


def test_a_use_case_may_ask_to_park_at_once() -> None:
    assert flow.failed(flow.begin(1), Failure.DETERMINISTIC, park_at_once=True).move is Move.PARK
    assert flow.failed(flow.begin(2), Failure.DETERMINISTIC, park_at_once=True).move is Move.APPLY


def test_a_transient_failure_while_parking_keeps_what_was_tried() -> None:
    work = flow.failed(flow.failed(flow.begin(1), Failure.DETERMINISTIC), Failure.TRANSIENT)
    assert (work.move, work.failures) == (Move.BACK_OFF, 1)


@pytest.mark.parametrize(
    ("transient", "jitter", "seconds"),
    [(1, 0.0, 0.1), (1, 1.0, 0.1), (2, 1.0, 0.2), (4, 0.5, 0.4), (20, 1.0, 5.0), (10_000, 1.0, 5.0), (7, 0.0, 0.1)],
)
def test_back_off_has_full_jitter_between_a_tenth_and_five_seconds(
    transient: int, jitter: float, seconds: float
) -> None:
    assert flow.back_off_seconds(transient, jitter=jitter) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("size", "seconds", "records", "after"),
    [
        (500, 0.3, 500, 250),
        (50, 9.0, 50, 50),
        (100, 0.01, 100, 200),
        (100, 0.01, 99, 100),
        (400, 0.01, 400, 500),
        (100, 0.1, 100, 100),
    ],
)
def test_batch_size_follows_the_commit_time(size: int, seconds: float, records: int, after: int) -> None:
    assert flow.next_batch_size(size, seconds=seconds, records=records) == after


@pytest.mark.parametrize(
    ("first", "last", "records", "fits"),
    [
        (5, 9, 5, Contiguity.WHOLE),
        (4, 8, 5, Contiguity.ELSEWHERE),
        (6, 10, 5, Contiguity.ELSEWHERE),
        (5, 10, 5, Contiguity.ELSEWHERE),
    ],
)
def test_a_batch_must_begin_where_we_stand_and_have_no_holes(
    first: int, last: int, records: int, fits: Contiguity
) -> None:
    assert flow.contiguity(first, last, records=records, expected=5) is fits


def test_the_third_start_goes_singly_and_the_third_of_those_parks() -> None:
    guards = [flow.crash_guard(starts) for starts in range(1, 7)]
    assert guards == [Guard.WHOLE, Guard.WHOLE, Guard.SINGLY, Guard.SINGLY, Guard.PARK, Guard.PARK]
    assert flow.begin(3, guard=Guard.SINGLY).slices == (Slice(0, 1), Slice(1, 2), Slice(2, 3))
    parking = flow.begin(3, guard=Guard.PARK)
    assert parking.move is Move.PARK
    assert flow.succeeded(parking).move is Move.APPLY


def test_more_than_twenty_of_our_failures_in_a_row_open_the_breaker() -> None:
    breaker = Breaker()
    for _ in range(20):
        breaker = breaker.parked(is_ours=True)
    assert not breaker.is_open
    assert breaker.parked(is_ours=True).is_open
    assert not breaker.handled(1).parked(is_ours=True).is_open


def test_one_percent_of_the_last_thousand_opens_the_breaker() -> None:
    breaker = Breaker().handled(1_000)
    for number in range(1, 11):
        breaker = breaker.parked(is_ours=True).handled(50)
        assert breaker.is_open == (number == 10)


def test_old_parks_leave_the_window() -> None:
    breaker = Breaker().handled(1_000)
    for _ in range(9):
        breaker = breaker.parked(is_ours=True).handled(10)
    assert not breaker.handled(2_000).parked(is_ours=True).is_open


def test_what_the_sender_is_to_blame_for_never_opens_the_breaker() -> None:
    breaker = Breaker()
    for _ in range(5_000):
        breaker = breaker.parked(is_ours=False)
    assert not breaker.is_open


def test_nothing_handled_does_not_end_a_row_of_failures() -> None:
    breaker = Breaker().parked(is_ours=True)
    assert breaker.handled(0) == breaker
