"""Rounds of routing over drawn teams: never over capacity, replay identical, order of arrival without effect."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.handoff.domain.routing import replay, route
from services.handoff.domain.things import Need, Pool, Rep, RoutingInput
from tests.support.builders.handoff_routing import need, open_handoff, pool, rep, rep_id, round_of

NAMES = tuple("abcdef")
COUNTRIES = ("DE", "FR", "")


@st.composite
def reps(draw: st.DrawFn) -> list[Rep]:
    return [
        rep(
            name,
            is_on=draw(st.booleans()) or draw(st.booleans()),
            why_off=draw(st.sampled_from(("away", "absence", None))),
            load=draw(st.integers(0, 5)),
            languages=tuple(draw(st.sets(st.sampled_from(("de", "fr"))))),
        )
        for name in NAMES
    ]


@st.composite
def pools(draw: st.DrawFn) -> list[Pool]:
    members = st.lists(st.sampled_from(NAMES), unique=True, max_size=6)
    terms: dict[object, dict[str, Any]] = {
        name: {
            "weight": draw(st.integers(1, 5)),
            "load_max": draw(st.integers(1, 6)),
            "taken_30_days": draw(st.integers(25, 30)),
        }
        for name in NAMES
    }
    return [pool("dach", draw(members), terms=terms), pool("default", draw(members), terms=terms)]


@st.composite
def needs(draw: st.DrawFn) -> list[Need]:
    count = draw(st.integers(1, 15))
    return [
        need(
            index,
            minute=draw(st.integers(0, 5)),
            facts={"country": draw(st.sampled_from(COUNTRIES)), "language": draw(st.sampled_from(("de", "fr", "")))},
            is_hand_raiser=draw(st.booleans()),
            is_waiting=draw(st.booleans()),
            account_owner=draw(st.none() | st.sampled_from(NAMES).map(rep_id)),
            tried=tuple(draw(st.sets(st.sampled_from(NAMES).map(rep_id), max_size=2))),
            open_handoff=open_handoff("other") if draw(st.integers(0, 9)) == 0 else None,
        )
        for index in range(count)
    ]


@settings(max_examples=150)
@given(asked=st.builds(round_of, needs(), pools=pools(), reps=reps()), data=st.data())
def test_a_round_keeps_its_promises(asked: RoutingInput, data: st.DataObject) -> None:
    routed = route(asked)
    assert len(routed.results) == len(asked.needs)
    load = {one.id: one.load for one in asked.reps.values()}
    for result in routed.results:
        answers = [result.rep_id, result.queue, result.attach_to, result.is_refused or None]
        assert sum(answer is not None for answer in answers) == 1
        assert result.queue is None or result.queue_owner
        if result.rep_id is not None:
            assert asked.reps[result.rep_id].is_on
            assert result.rep_id not in result.need.tried
            load[result.rep_id] += 1
            assert load[result.rep_id] <= _capacity(asked, result.rep_id, result.pool)
        assert replay(json.loads(json.dumps(result.record))).is_same
    shuffled = data.draw(st.permutations(asked.needs))
    again = route(round_of(shuffled, pools=asked.pools.values(), reps=asked.reps.values()))
    assert again == routed


def _capacity(asked: RoutingInput, one: object, pool_name: str | None) -> int:
    places = [
        member.load_max
        for name, each in asked.pools.items()
        for member in each.members
        if member.rep_id == one and pool_name in {None, name}
    ]
    return max(places, default=5)
