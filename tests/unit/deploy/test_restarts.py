"""When a service is started again after it ended."""

from deploy.local.restarts import Attempts, pause_before_restart


def test_the_first_end_is_followed_by_a_start_at_once() -> None:
    assert pause_before_restart(Attempts().after_end(lived_seconds=5)) == 0


def test_each_further_early_end_waits_twice_as_long_up_to_a_bound() -> None:
    attempts, pauses = Attempts(), []
    for _ in range(12):
        attempts = attempts.after_end(lived_seconds=0.1)
        pauses.append(pause_before_restart(attempts))
    assert pauses[:5] == [0, 0.5, 1, 2, 4]
    assert pauses[-1] == 30


def test_a_service_that_was_healthy_for_a_while_starts_at_once_again() -> None:
    attempts = Attempts(in_a_row=9).after_end(lived_seconds=12)
    assert pause_before_restart(attempts) == 0
