"""After a missed deadline one delivery a second asks Kafka; who finds no room waits longer the fuller the spool is."""

import pytest

from services.ingest.collector.lane import Lane, seconds_to_wait


def test_a_missed_deadline_sends_the_others_straight_to_the_spool_until_a_probe_is_acked() -> None:
    lane = Lane()
    assert not lane.is_straight
    lane.missed(10.0)
    assert lane.is_straight
    lane.acked(12.0)
    assert not lane.is_straight


def test_one_a_second_is_the_probe() -> None:
    lane = Lane()
    lane.missed(10.0)
    asked = [10.2, 10.9, 11.0, 11.1, 11.9, 12.0, 12.3, 15.0]
    assert [moment for moment in asked if lane.takes_probe(moment)] == [11.0, 12.0, 15.0]


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999999])
def test_the_wait_grows_with_the_fill_within_1_and_30_seconds(jitter: float) -> None:
    waits = [seconds_to_wait(fill / 100, jitter=jitter) for fill in range(101)]
    assert waits == sorted(waits)
    assert (min(waits) >= 1, max(waits) <= 30) == (True, True)
    assert waits[-1] - waits[0] >= 20


def test_the_wait_of_equals_differs() -> None:
    assert {seconds_to_wait(0.5, jitter=step / 10) for step in range(10)} == set(range(11, 16))
