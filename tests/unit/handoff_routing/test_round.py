"""One round of routing: the order of rules, the order of service, queues with owners, who went before."""

from typing import Any

import pytest

from services.handoff.domain.routing import check_policy, order_of_service, read_policy, route
from services.handoff.domain.rules import PolicyInvalid
from services.handoff.domain.things import RouteResult, RoutingInput
from tests.support.builders.handoff_routing import (
    POLICY,
    handoff_id,
    lead,
    need,
    open_handoff,
    pool,
    rep,
    rep_id,
    round_of,
)


def only(asked: RoutingInput) -> RouteResult:
    (result,) = route(asked).results
    return result


def with_rules(*rules: dict[str, Any]) -> dict[str, Any]:
    return {**POLICY, "rules": list(rules)}


def test_the_first_rule_that_names_a_rep_decides() -> None:
    asked = round_of([need(1, account_owner=rep_id("b"))], pools=[pool("default", "a")], reps=[rep("a"), rep("b")])
    result = only(asked)
    assert (result.rep_id, result.pool, result.is_rotated) == (rep_id("b"), None, False)
    assert [answer.rule for answer in result.rules][-1] == "account_owner"


def test_an_owner_who_is_away_is_passed_over_with_the_reason_and_listed() -> None:
    asked = round_of(
        [need(1, account_owner=rep_id("b"))],
        pools=[pool("default", "ab")],
        reps=[rep("a"), rep("b", is_on=False, why_off="away")],
    )
    result = only(asked)
    assert (result.rep_id, result.pool, result.is_rotated) == (rep_id("a"), "default", True)
    passed = {answer.rule: answer.reason for answer in result.rules}
    assert passed["account_owner"] == "away"
    assert (rep_id("b"), "away") in {(one.rep_id, one.exclusion) for one in result.candidates}


def test_a_suppressed_lead_is_refused_and_takes_nobody() -> None:
    asked = round_of([need(1, lead=lead(1, is_suppressed=True))], pools=[pool("default", "a")], reps=[rep("a")])
    routed = route(asked)
    assert (routed.results[0].is_refused, routed.results[0].rep_id, routed.pools) == (True, None, {})


def test_a_second_lead_of_an_account_joins_the_open_handoff() -> None:
    asked = round_of([need(1, open_handoff=open_handoff(2))], pools=[pool("default", "a")], reps=[rep("a")])
    result = only(asked)
    assert (result.attach_to, result.rep_id, result.queue) == (handoff_id(2), None, None)


def test_a_territory_is_asked_only_when_its_condition_holds() -> None:
    pools = [pool("dach", "a"), pool("default", "b")]
    reps = [rep("a"), rep("b")]
    assert only(round_of([need(1, facts={"country": "DE"})], pools=pools, reps=reps)).pool == "dach"
    elsewhere = only(round_of([need(1, facts={"country": "FR"})], pools=pools, reps=reps))
    assert elsewhere.pool == "default"
    assert "its condition does not hold" in {answer.reason for answer in elsewhere.rules}


def test_a_territory_without_a_free_rep_passes_on_unless_it_is_exclusive() -> None:
    pools = [pool("dach", "a"), pool("default", "b")]
    reps = [rep("a", load=5), rep("b")]
    asked = [need(1, facts={"country": "DE"})]
    assert only(round_of(asked, pools=pools, reps=reps)).rep_id == rep_id("b")
    exclusive = with_rules(
        {"rule": "territory", "pool": "dach", "is_exclusive": True}, {"rule": "pool", "pool": "default"}
    )
    result = only(round_of(asked, pools=pools, reps=reps, routing=exclusive))
    assert (result.queue, result.pool) == ("no_eligible_rep", "dach")


def test_a_wish_for_a_language_is_met_or_dropped_aloud() -> None:
    reps = [rep("a"), rep("b", languages=("fr",))]
    asked = [need(1, facts={"language": "fr"})]
    assert only(round_of(asked, pools=[pool("default", "ab")], reps=reps)).rep_id == rep_id("b")
    dropped = only(round_of(asked, pools=[pool("default", "a")], reps=reps))
    assert (dropped.rep_id, dropped.rules[-1].reason) == (rep_id("a"), "for all that is left; nobody free has fr")


def test_nobody_free_waits_in_the_queue_of_the_pool_with_an_owner() -> None:
    result = only(round_of([need(1)], pools=[pool("default", "a")], reps=[rep("a", load=5)]))
    assert (result.queue, result.queue_owner, result.pool) == ("no_eligible_rep", "revops", "default")


def test_a_lead_that_no_rule_places_waits_in_the_fallback_queue_with_its_owner() -> None:
    result = only(round_of([need(1)]))
    assert (result.queue, result.queue_owner, result.pool) == ("unrouted", "revops", None)


def test_a_need_that_waited_for_one_pool_is_served_by_any_that_the_policy_allows() -> None:
    pools = [pool("dach", ""), pool("default", "b")]
    asked = [need(1, facts={"country": "DE"}, is_waiting=True)]
    assert only(round_of(asked, pools=pools, reps=[rep("b")])).rep_id == rep_id("b")


def test_freed_load_serves_the_queue_first_hand_raisers_first_then_the_oldest() -> None:
    needs = [
        need("new", minute=0, is_hand_raiser=True),
        need("young", minute=9, is_waiting=True),
        need("old", minute=3, is_waiting=True),
        need("raised", minute=12, is_waiting=True, is_hand_raiser=True),
        need("urgent", minute=20, is_waiting=True, priority=2),
    ]
    expected = [handoff_id(name) for name in ("raised", "urgent", "old", "young", "new")]
    assert [one.handoff_id for one in order_of_service(needs)] == expected
    assert [one.handoff_id for one in order_of_service(reversed(needs))] == expected


def test_one_free_place_goes_to_the_waiting_lead_and_the_new_one_learns_who_went_before() -> None:
    one_place = pool("default", "a", terms={"a": {"load_max": 1}})
    asked = round_of([need("L3", minute=5), need("L2", minute=2, is_waiting=True)], pools=[one_place], reps=[rep("a")])
    second, third = route(asked).results
    assert (second.need.handoff_id, second.rep_id) == (handoff_id("L2"), rep_id("a"))
    assert (third.queue, third.served_before) == ("no_eligible_rep", (handoff_id("L2"),))


def test_a_lead_that_finds_the_place_taken_earlier_names_who_holds_it() -> None:
    one_place = pool("default", "a", terms={"a": {"load_max": 1}})
    holder = rep("a", load=1, holding=(handoff_id("L2"),))
    assert only(round_of([need("L3")], pools=[one_place], reps=[holder])).served_before == (handoff_id("L2"),)


def test_who_still_waits_stands_before_a_new_lead() -> None:
    full = rep("a", load=5)
    asked = round_of([need("new"), need("old", is_waiting=True)], pools=[pool("default", "a")], reps=[full])
    assert route(asked).results[1].served_before == (handoff_id("old"),)


def test_the_pools_after_a_round_are_those_that_changed() -> None:
    asked = round_of([need(1)], pools=[pool("default", "a"), pool("dach", "b")], reps=[rep("a"), rep("b")])
    assert set(route(asked).pools) == {"default"}


def test_the_former_owner_is_asked_before_the_account_owner() -> None:
    asked = round_of([need(1, preferred=rep_id("a"), account_owner=rep_id("b"))], pools=[], reps=[rep("a"), rep("b")])
    assert only(asked).rep_id == rep_id("a")
    named = with_rules({"rule": "account_owner"}, {"rule": "former_owner"})
    assert [bound.rule.name for bound in read_policy(named).rules] == ["account_owner", "former_owner"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"rules": [{"rule": "coin"}]}, "/routing/rules/0/rule"),
        ({"rules": [{"rule": "pool"}]}, "/routing/rules/0/pool"),
        ({"rules": [{"rule": "suppression", "when": {"fact": "x"}}]}, "/routing/rules/0/when"),
        ({"fallback": {"queue": "unrouted"}}, "/routing/fallback"),
    ],
)
def test_a_policy_that_cannot_be_asked_is_refused_with_its_place(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        read_policy({**POLICY, **change})
    assert refused.value.pointer == pointer


def test_a_draft_is_checked_as_a_whole() -> None:
    draft = {"rules": [{"rule": "coin"}, {"rule": "pool", "pool": "nowhere"}, {"rule": "pool", "pool": "p"}],
             "pools": [{"name": "p"}]}  # fmt: skip
    pointers = [invalid.pointer for invalid in check_policy(draft)]
    assert pointers == ["/routing/rules/0/rule", "/routing/rules/1/pool", "/routing/fallback"]
    assert check_policy({**POLICY, "pools": [{"name": "dach"}, {"name": "default"}]}) == ()
