"""The ledger of one pool: shares, turns, credits."""

import pytest

from services.handoff.domain.fairness import UNIT, credit, gap, lag, pick, shares
from services.handoff.domain.things import Member
from shared.ids import UserId
from tests.support.builders.handoff_routing import rep_id


def members(**weights: int) -> tuple[Member, ...]:
    return tuple(Member(pool="p", rep_id=rep_id(name), weight=weight) for name, weight in weights.items())


def turns(pool: tuple[Member, ...], count: int) -> tuple[list[UserId], tuple[Member, ...]]:
    chosen = []
    for _ in range(count):
        one, pool = pick(pool)
        chosen.append(one)
    return chosen, pool


def test_shares_are_proportional_and_sum_to_one_lead() -> None:
    part = shares(members(a=1, b=2, c=3))
    assert part == {rep_id("a"): UNIT // 6, rep_id("b"): UNIT // 3, rep_id("c"): UNIT // 2}


def test_shares_that_do_not_divide_still_sum_to_one_lead() -> None:
    assert sum(shares(members(a=17, b=19, c=23)).values()) == UNIT


def test_equal_members_take_turns_and_ties_fall_by_rep_id() -> None:
    pool = members(a=1, b=1, c=1)
    chosen, after = turns(pool, 6)
    assert chosen[:3] == sorted(rep_id(name) for name in "abc")
    assert chosen[3:] == chosen[:3]
    assert gap(after) == 0


def test_weight_three_of_four_gets_three_of_four() -> None:
    chosen, after = turns(members(a=3, b=1), 400)
    assert chosen.count(rep_id("a")) == 300
    assert gap(after) < 1


def test_whoever_was_not_eligible_is_owed_nothing() -> None:
    both = {one.rep_id: one for one in members(a=1, b=1)}
    _, alone = turns((both[rep_id("a")],), 50)
    both |= {one.rep_id: one for one in alone}
    assert lag(both[rep_id("b")]) == 0
    chosen, _ = turns(tuple(both.values()), 10)
    assert chosen.count(rep_id("b")) == 5


def test_when_nobody_lags_the_one_who_lags_most_is_picked() -> None:
    ahead = (Member("p", rep_id("a"), received=3), Member("p", rep_id("b"), received=2))
    chosen, _ = pick(ahead)
    assert chosen == rep_id("b")


def test_a_credited_lead_brings_the_next_turn_sooner() -> None:
    _, after = turns(members(a=1, b=1), 2)
    first, second = after
    assert (lag(first), lag(credit(first))) == (0, UNIT)
    chosen, _ = turns((credit(second), first), 1)
    assert chosen == [second.rep_id]


def test_nobody_eligible_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="nobody"):
        pick(())


def test_a_pool_without_members_has_no_gap() -> None:
    assert gap(()) == 0
