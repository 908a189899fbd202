"""Who in a pool may take a lead: every exclusion with its reason, and the wish for a skill."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.handoff.domain.assignment import Exclusion, Floor, choose, exclusion_of_one, limits_of, take
from services.handoff.domain.things import Rep
from shared.ids import UserId
from tests.support.builders.handoff_routing import handoff_id, need, pool, rep, rep_id


def exclusions(reps: list[Rep], terms: Mapping[object, Mapping[str, Any]] | None = None) -> dict[UserId, str | None]:
    members = pool("p", ["a", "tried"], terms=terms or {})
    choice = choose(need("x", tried=(rep_id("tried"),)), members, {one.id: one for one in reps})
    return {one.rep_id: one.exclusion for one in choice.candidates}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"is_on": False, "why_off": "away"}, Exclusion.AWAY),
        ({"is_on": False, "why_off": "absence"}, Exclusion.ABSENCE),
        ({"is_on": False, "why_off": "inactive"}, Exclusion.INACTIVE),
        ({"is_on": False, "why_off": None}, Exclusion.AWAY),
        ({"load": 5}, Exclusion.FULL),
        ({"load": 4}, None),
    ],
)
def test_a_rep_is_excluded_with_the_first_reason_that_holds(changes: dict[str, Any], expected: str | None) -> None:
    assert exclusions([rep("a", **changes)])[rep_id("a")] == expected


def test_an_unknown_rep_and_one_that_had_it_are_excluded() -> None:
    assert exclusions([rep("tried")]) == {rep_id("a"): Exclusion.UNKNOWN, rep_id("tried"): Exclusion.TRIED}


def test_the_cap_of_30_days_excludes() -> None:
    assert exclusions([rep("a")], terms={"a": {"taken_30_days": 30}})[rep_id("a")] == Exclusion.CAP


def test_a_pool_asks_for_its_skills_among_skills_and_languages() -> None:
    reps = {one.id: one for one in (rep("a", languages=("german",)), rep("b", skills=("german",)), rep("c"))}
    choice = choose(need("x"), pool("p", "abc", skills=["german"]), reps)
    assert {one.rep_id for one in choice.candidates if one.exclusion} == {rep_id("c")}


def test_whoever_left_the_pool_is_not_looked_at() -> None:
    choice = choose(need("x"), pool("p", ["a"], terms={"a": {"is_member": False}}), {rep_id("a"): rep("a")})
    assert (choice.rep_id, choice.candidates) == (None, ())


def test_a_wish_is_met_while_somebody_free_can() -> None:
    reps = {one.id: one for one in (rep("a"), rep("b", languages=("fr",)))}
    choice = choose(need("x"), pool("p", "ab"), reps, wished=frozenset({"fr"}))
    assert (choice.rep_id, choice.is_wish_dropped) == (rep_id("b"), False)


def test_a_wish_that_nobody_free_can_meet_is_dropped_and_said() -> None:
    reps = {one.id: one for one in (rep("a"), rep("b", languages=("fr",), is_on=False))}
    choice = choose(need("x"), pool("p", "ab"), reps, wished=frozenset({"fr"}))
    assert (choice.rep_id, choice.is_wish_dropped) == (rep_id("a"), True)


def test_a_pick_counts_in_the_ledger_and_in_the_sequence() -> None:
    choice = choose(need("x"), pool("p", ["a"]), {rep_id("a"): rep("a")})
    assert (choice.pool.sequence, choice.pool.members[0].received) == (1, 1)


def test_a_taken_handoff_grows_the_load_and_the_count_in_every_pool_of_the_rep() -> None:
    floor = Floor({"p": pool("p", "ab"), "q": pool("q", "a"), "r": pool("r", "b")}, {rep_id("a"): rep("a")})
    after = take(floor, rep_id("a"), handoff_id(1))
    assert (after.reps[rep_id("a")].load, after.reps[rep_id("a")].holding) == (1, (handoff_id(1),))
    counted = {
        (name, one.rep_id) for name, one_pool in after.pools.items() for one in one_pool.members if one.taken_30_days
    }
    assert counted == {("p", rep_id("a")), ("q", rep_id("a"))}


def test_a_rep_named_by_a_rule_has_the_largest_capacity_of_its_pools() -> None:
    pools = {
        "p": pool("p", "a", terms={"a": {"load_max": 2, "taken_30_days": 9}}),
        "q": pool("q", "a", terms={"a": {"load_max": 7, "leads_per_30_days": 10}}),
    }
    limits = limits_of(rep_id("a"), pools)
    assert (limits.load_max, limits.leads_per_30_days, limits.taken_30_days) == (7, 30, 9)
    assert exclusion_of_one(need("x"), rep_id("a"), Floor(pools, {rep_id("a"): rep("a", load=6)})) is None
    assert exclusion_of_one(need("x"), rep_id("a"), Floor(pools, {rep_id("a"): rep("a", load=7)})) == Exclusion.FULL


def test_a_rep_in_no_pool_has_the_default_capacity() -> None:
    assert limits_of(rep_id("a"), {"p": pool("p", "b")}).load_max == 5
