"""However late clocks fall due, at most three handoffs leave a rep within any minute, and none waits without need."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.handoff.domain.turns import MINUTE, REASSIGNED_A_MINUTE_MAX, Turns

START = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)

instants = st.integers(0, 300).map(lambda seconds: START + timedelta(seconds=seconds))


def _most_in_a_minute(taken: Sequence[datetime]) -> int:
    ordered = sorted(taken)
    return max((bisect_left(ordered, each + MINUTE) - at for at, each in enumerate(ordered)), default=0)


@given(st.lists(instants, max_size=40))
def test_no_minute_holds_more_than_its_share(asked: list[datetime]) -> None:
    turns = Turns()
    taken = [turns.take(now) for now in asked]
    assert all(turn >= now for turn, now in zip(taken, asked, strict=True))
    assert _most_in_a_minute(taken) <= REASSIGNED_A_MINUTE_MAX


@given(st.lists(instants, max_size=12), instants)
def test_nobody_waits_longer_than_needed(asked: list[datetime], now: datetime) -> None:
    turns = Turns()
    taken = [turns.take(each) for each in asked]
    turn = turns.take(now)
    seconds = int((turn - now).total_seconds())
    earlier = (now + timedelta(seconds=each) for each in range(seconds))
    assert all(_most_in_a_minute([*taken, each]) > REASSIGNED_A_MINUTE_MAX for each in earlier)


@given(st.lists(instants, max_size=20))
def test_what_was_read_from_rows_in_any_order_answers_the_same(taken: list[datetime]) -> None:
    assert Turns(taken).take(START) == Turns(taken[::-1]).take(START) == Turns(sorted(taken)).take(START)


@given(st.lists(instants, min_size=4, max_size=30))
def test_more_than_the_share_before_us_delays_but_never_stops(noted: list[datetime]) -> None:
    turns = Turns()
    for each in noted:
        turns.note(each)
    assert START <= turns.take(START) <= max(noted) + MINUTE
