"""When a consumer counts as standing still."""

from dataclasses import replace

from shared.stream.watchdog import Look, Patience, Watchdog

WELL = Look(now=1000.0, moved_at=999.0, assigned_at=999.0, is_assigned=True, should_have_some=True, is_waiting=False)
STILL = replace(WELL, moved_at=900.0)
NOTHING = replace(WELL, is_assigned=False, assigned_at=960.0)


def later(look: Look, seconds: float) -> Look:
    return replace(look, now=look.now + seconds)


def test_a_consumer_that_moves_is_never_asked_about() -> None:
    assert not Watchdog(Patience()).must_ask(WELL)


def test_records_that_wait_for_fifteen_seconds_end_the_process() -> None:
    dog = Watchdog(Patience())
    assert dog.must_ask(STILL)
    assert dog.judge(STILL, is_behind=True) is None
    assert dog.judge(later(STILL, 10), is_behind=True) is None
    assert "nothing moved" in str(dog.judge(later(STILL, 16), is_behind=True))


def test_a_quiet_time_before_the_first_record_does_not_count() -> None:
    dog = Watchdog(Patience())
    for seconds in range(0, 3_600, 60):
        assert dog.judge(later(STILL, seconds), is_behind=False) is None
    assert dog.judge(later(STILL, 3_601), is_behind=True) is None


def test_a_broker_that_does_not_answer_is_not_our_standstill() -> None:
    dog = Watchdog(Patience())
    assert dog.judge(STILL, is_behind=True) is None
    assert dog.judge(later(STILL, 16), is_behind=None) is None
    assert dog.judge(later(STILL, 17), is_behind=True) is None


def test_a_batch_in_back_off_is_no_reason() -> None:
    dog = Watchdog(Patience())
    assert not dog.must_ask(replace(STILL, is_waiting=True))


def test_nothing_assigned_although_there_is_something_ends_the_process() -> None:
    dog = Watchdog(Patience())
    assert dog.must_ask(NOTHING)
    assert "No partition" in str(dog.judge(NOTHING, is_behind=False))
    assert not Watchdog(Patience()).must_ask(replace(NOTHING, should_have_some=False))
    assert not Watchdog(Patience()).must_ask(replace(NOTHING, assigned_at=980.0))


def test_the_broker_is_asked_at_most_every_five_seconds() -> None:
    dog = Watchdog(Patience())
    asked = [dog.must_ask(later(STILL, seconds)) for seconds in range(11)]
    assert [second for second, is_asked in enumerate(asked) if is_asked] == [0, 5, 10]


def test_progress_forgets_since_when_records_waited() -> None:
    dog = Watchdog(Patience())
    assert dog.judge(STILL, is_behind=True) is None
    assert not dog.must_ask(later(replace(WELL, now=1010.0, moved_at=1009.0), 0))
    assert dog.judge(later(STILL, 30), is_behind=True) is None
