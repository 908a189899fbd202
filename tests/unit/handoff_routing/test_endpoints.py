"""Which events an endpoint is sent, and how fast a lane may go."""

import pytest

from services.handoff.domain.endpoints import Subscription, wants
from services.handoff.domain.rates import Bucket
from shared.ids import EndpointId, derived_id

ASSIGNED = "baton.handoff.assigned.v1"
ALL = Subscription(EndpointId(derived_id("endpoint")))


def choice(**changes: object) -> Subscription:
    return Subscription(ALL.id, **changes)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("subscription", "expected"),
    [
        (ALL, True),
        (choice(types=frozenset({ASSIGNED})), True),
        (choice(types=frozenset({"baton.lead.qualified.v1"})), False),
        (choice(pools=frozenset({"dach"})), True),
        (choice(pools=frozenset({"default"})), False),
        (choice(products=frozenset({"default"})), True),
        (choice(products=frozenset({"other"})), False),
    ],
)
def test_an_endpoint_is_sent_what_it_chose(subscription: Subscription, expected: bool) -> None:  # noqa: FBT001 - a case
    assert wants(subscription, ASSIGNED, {"product": "default"}, pool="dach", consents={}) is expected


@pytest.mark.parametrize(
    ("consents", "is_erased", "own", "others"),
    [
        ({}, False, True, True),
        ({"profiling": True, "sharing": True}, False, True, True),
        ({"profiling": True, "sharing": False}, False, True, False),
        ({"profiling": False}, False, False, False),
        ({}, True, False, False),
    ],
)
def test_consent_decides_what_may_leave(
    consents: dict[str, bool],
    is_erased: bool,  # noqa: FBT001 - a case
    own: bool,  # noqa: FBT001 - a case
    others: bool,  # noqa: FBT001 - a case
) -> None:
    sharing = choice(is_sharing=True)
    assert wants(ALL, ASSIGNED, {}, pool=None, consents=consents, is_erased=is_erased) is own
    assert wants(sharing, ASSIGNED, {}, pool=None, consents=consents, is_erased=is_erased) is others


def test_the_news_of_an_erasure_always_leaves() -> None:
    assert wants(ALL, "baton.lead.erased.v1", {}, pool=None, consents={"profiling": False}, is_erased=True)


def test_a_lane_sends_one_second_at_once_then_its_rate() -> None:
    bucket = Bucket.full(10, now=0)
    assert bucket.refill(now=0) == 10
    bucket.take(10, rate=10, now=0)
    assert bucket.refill(now=0) == 0
    assert bucket.refill(now=0.5) == 5
    assert bucket.refill(now=60) == 10


def test_a_lane_that_was_halved_slows_down_at_once_and_never_stops() -> None:
    bucket = Bucket.full(50, now=0)
    bucket.take(1, rate=0.5, now=0)
    assert bucket.refill(now=0) == 0
    assert bucket.refill(now=2) == 1
