"""What may be fetched, when it is tried again, and how an answer comes back: all pure."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.domain.fetching import (
    TRIES_MAX,
    answer_path,
    answered,
    api_base,
    asked,
    is_worth_a_retry,
    next_try_at,
)
from services.ingest.domain.source import SourceSettings

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
OWN = "https://api.sender.example"


@pytest.mark.parametrize(
    ("said", "base"),
    [
        ("", OWN),
        ("https://API.Example.test/", "https://api.example.test"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://user@api.example.test", OWN),
        ("https://api.example.test/v1", OWN),
        ("ftp://api.example.test", OWN),
        ("api.example.test", OWN),
        ("https://api.example.test?x", OWN),
    ],
)
def test_the_base_is_scheme_and_host_of_the_option_or_the_senders_own(said: str, base: str) -> None:
    assert api_base(SourceSettings(options={"api_url": said}), default=OWN) == base


def test_tries_come_at_growing_gaps_and_end_after_a_night() -> None:
    moments = [next_try_at(tries, NOW) for tries in range(1, TRIES_MAX + 1)]
    gaps = [moment - NOW for moment in moments if moment is not None]
    assert gaps == sorted(gaps)
    assert moments[-1] is None
    assert timedelta(hours=12) < sum(gaps, timedelta(0)) < timedelta(hours=24)


def test_only_a_refusal_for_good_ends_the_tries() -> None:
    final = [status for status in range(300, 600) if not is_worth_a_retry(status)]
    assert set(final) == set(range(400, 500)) - {401, 403, 404, 408, 425, 429}


def test_an_answer_is_told_from_what_comes_from_outside_by_its_path() -> None:
    assert answered(answer_path("order.placed")) == "order.placed"
    assert answered("/webhooks/eventbrite/x") is None
    assert (asked("/fetch/order.placed"), asked("/fetched/order.placed")) == ("order.placed", None)
