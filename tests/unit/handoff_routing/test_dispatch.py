"""What follows from one attempt: the table, Retry-After in every form, rates, the end (field case 17)."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from services.handoff.domain.dispatch import (
    ATTEMPTS_MAX,
    Answer,
    LaneHealth,
    Outcome,
    health_after,
    judge,
    retry_after_seconds,
)
from shared.ids import DispatchId, derived_id
from tests.support.builders.handoff_routing import NOW

DISPATCH = DispatchId(derived_id("dispatch", 1))
TABLE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


def answer(status: int | None, *retry_after: str, date: str | None = None) -> Answer:
    outcome = Outcome.UNANSWERED if status is None else Outcome.REFUSED
    return Answer(outcome, status=status, retry_after=retry_after, date=date)


def delay(one: Answer, attempt: int, dispatch_id: DispatchId = DISPATCH) -> float:
    judged = judge(one, dispatch_id=dispatch_id, attempt=attempt, now=NOW)
    assert judged.next_at is not None
    return (judged.next_at - NOW).total_seconds()


@pytest.mark.parametrize(("attempt", "seconds"), list(enumerate(TABLE, start=1)))
def test_each_attempt_waits_for_the_table_within_a_tenth(attempt: int, seconds: int) -> None:
    delays = {delay(answer(500), attempt, DispatchId(derived_id(number))) for number in range(200)}
    assert all(0.9 * seconds <= one <= 1.1 * seconds for one in delays)
    assert max(delays) - min(delays) > 0.15 * seconds


def test_the_same_attempt_has_the_same_jitter() -> None:
    assert delay(answer(500), 3) == delay(answer(503), 3)
    assert delay(answer(500), 3) / 1800 != delay(answer(500), 4) / 7200


def test_the_table_is_75_hours_long() -> None:
    assert len(TABLE) == ATTEMPTS_MAX - 1
    assert timedelta(seconds=sum(TABLE)) == timedelta(hours=75, minutes=35, seconds=5)


def test_case_17_the_receiver_asks_for_pauses() -> None:
    in_40_minutes = format_datetime(NOW + timedelta(minutes=40), usegmt=True)
    assert delay(answer(503, "120"), 1) == 120
    assert 270 <= delay(answer(503, "5"), 2) <= 330
    assert delay(answer(429, in_40_minutes), 3) == 2400
    assert 6480 <= delay(answer(503, "-7"), 4) <= 7920


@pytest.mark.parametrize("odd", ["-7", "soon", "", "0", "1.5", "1e3", "٣", "9" * 19, "Wed, 99 Foo 2026 00:00:00 GMT"])
def test_an_odd_value_is_ignored(odd: str) -> None:
    assert retry_after_seconds([odd], now=NOW) is None
    assert delay(answer(503, odd), 1) < 6


def test_a_date_in_the_past_is_ignored() -> None:
    assert retry_after_seconds([format_datetime(NOW - timedelta(hours=1), usegmt=True)], now=NOW) is None


def test_a_wait_is_capped_at_a_day() -> None:
    far = format_datetime(NOW + timedelta(days=9), usegmt=True)
    assert retry_after_seconds(["1234567890"], now=NOW) == 86_400
    assert retry_after_seconds([far], now=NOW) == 86_400


def test_of_two_headers_the_longer_wait_counts_and_odd_ones_do_not() -> None:
    assert retry_after_seconds(["10", "60"], now=NOW) == 60
    assert retry_after_seconds(["soon", "60"], now=NOW) == 60


def test_a_date_counts_from_the_answers_own_clock_when_that_is_nearer() -> None:
    their_now = NOW + timedelta(days=3)
    until = format_datetime(their_now + timedelta(minutes=10), usegmt=True)
    assert retry_after_seconds([until], now=NOW, date=format_datetime(their_now, usegmt=True)) == 600
    slow = NOW - timedelta(days=3)
    until = format_datetime(slow + timedelta(minutes=10), usegmt=True)
    assert retry_after_seconds([until], now=NOW, date=format_datetime(slow, usegmt=True)) == 600
    assert retry_after_seconds([until], now=NOW, date="no date") is None


def test_a_date_without_zone_means_nothing() -> None:
    assert retry_after_seconds(["Wed, 10 Jun 2026 10:00:00"], now=NOW) is None


def test_success_ends_it() -> None:
    judged = judge(Answer(Outcome.DELIVERED, status=204), dispatch_id=DISPATCH, attempt=1, now=NOW)
    assert (judged.is_final, judged.is_delivered) == (True, True)


def test_gone_ends_it_and_the_endpoint() -> None:
    judged = judge(answer(410), dispatch_id=DISPATCH, attempt=1, now=NOW)
    assert (judged.is_final, judged.is_gone, judged.is_delivered) == (True, True, False)


def test_what_cannot_be_sent_at_all_is_not_tried_again() -> None:
    assert judge(Answer(Outcome.NOT_SENT), dispatch_id=DISPATCH, attempt=1, now=NOW).is_final


def test_the_tenth_failure_is_the_last() -> None:
    assert not judge(answer(500), dispatch_id=DISPATCH, attempt=ATTEMPTS_MAX - 1, now=NOW).is_final
    judged = judge(answer(503), dispatch_id=DISPATCH, attempt=ATTEMPTS_MAX, now=NOW)
    assert (judged.is_final, judged.is_delivered, judged.is_overloaded) == (True, False, True)


@pytest.mark.parametrize(("status", "share"), [(429, 0.5), (502, 0.5), (503, 0.5), (504, 0.5), (500, 1.0), (None, 1.0)])
def test_overload_halves_the_rate(status: int | None, share: float) -> None:
    judged = judge(answer(status), dispatch_id=DISPATCH, attempt=1, now=NOW)
    assert health_after(LaneHealth(), judged, now=NOW) == LaneHealth(share, failing_since=NOW)


def test_the_rate_never_falls_to_nothing_and_comes_back_step_by_step() -> None:
    overloaded = judge(answer(429), dispatch_id=DISPATCH, attempt=1, now=NOW)
    health = LaneHealth(failing_since=NOW - timedelta(hours=2))
    for _ in range(20):
        health = health_after(health, overloaded, now=NOW)
    assert health == LaneHealth(1 / 64, failing_since=NOW - timedelta(hours=2))
    delivered = judge(Answer(Outcome.DELIVERED), dispatch_id=DISPATCH, attempt=1, now=NOW)
    steps = 0
    while health.rate_share < 1:
        health, steps = health_after(health, delivered, now=NOW), steps + 1
    assert steps > 10
    assert health.failing_since is None
