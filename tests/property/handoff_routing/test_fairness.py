"""The fairness bounds of DOMAIN 5.6 over simulated pools: |received - entitled| < 1 fixed, <= 2 when anything moves."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from services.handoff.domain import fairness
from services.handoff.domain.assignment import choose
from services.handoff.domain.things import Member, Pool, Rep
from shared.ids import UserId
from tests.support.builders.handoff_routing import need, rep, rep_id

WEIGHTS = st.integers(min_value=1, max_value=10)
SKILLS = ("de", "fr", "it")


@settings(max_examples=60)
@given(weights=st.lists(WEIGHTS, min_size=1, max_size=12), leads=st.integers(min_value=1, max_value=300))
def test_fixed_members_are_never_a_whole_lead_from_their_share(weights: list[int], leads: int) -> None:
    members = tuple(Member("p", rep_id(index), weight=weight) for index, weight in enumerate(weights))
    bound = 1 - Fraction(1, max(2, 2 * len(members) - 2))
    for _ in range(leads):
        _, members = fairness.pick(members)
        assert max(abs(fairness.lag(member)) for member in members) <= bound * fairness.UNIT
    assert sum(fairness.lag(member) for member in members) == 0


@settings(max_examples=60)
@given(weights=st.lists(WEIGHTS, min_size=2, max_size=8), data=st.data())
def test_absences_joins_and_skills_stay_within_two_leads(weights: list[int], data: st.DataObject) -> None:
    reps = {rep_id(index): _drawn_rep(index, data) for index in range(len(weights))}
    pool = Pool("p", _by_id([Member("p", rep_id(index), weight=weight) for index, weight in enumerate(weights)]))
    moves = data.draw(st.lists(st.sampled_from(("away", "back", "join", "none")), min_size=20, max_size=20))
    for step, move in enumerate(moves):
        pool, reps = _moved(move, pool, reps, step, data)
        for _ in range(10):
            wished = data.draw(st.sampled_from(("", "", *SKILLS)))
            choice = choose(need(step), pool, reps, wished=frozenset({wished} - {""}))
            before, pool = pool, choice.pool
            _check_who_could_not(before, pool, choice.rep_id, reps)
            assert fairness.gap(pool.members) <= 2


@settings(max_examples=40)
@given(away_for=st.integers(min_value=1, max_value=200), others=st.integers(min_value=1, max_value=6))
def test_a_returning_rep_is_not_flooded(away_for: int, others: int) -> None:
    reps = {rep_id(index): rep(index) for index in range(others + 1)}
    pool = Pool("p", _by_id([Member("p", rep_id(index)) for index in range(others + 1)]))
    gone = rep_id(0)
    reps[gone] = replace(reps[gone], is_on=False)
    for step in range(away_for):
        pool = choose(need(step), pool, reps).pool
    reps[gone] = replace(reps[gone], is_on=True)
    got = 0
    for step in range(10 * (others + 1)):
        choice = choose(need(step), pool, reps)
        pool, got = choice.pool, got + (choice.rep_id == gone)
    assert abs(got - 10) <= 2


def _drawn_rep(index: object, data: st.DataObject) -> Rep:
    return rep(index, languages=tuple(data.draw(st.sets(st.sampled_from(SKILLS)))))


def _by_id(members: list[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: member.rep_id))


def _moved(
    move: str, pool: Pool, reps: dict[UserId, Rep], step: int, data: st.DataObject
) -> tuple[Pool, dict[UserId, Rep]]:
    if move == "join" and len(pool.members) < 12:
        newcomer = Member("p", rep_id(("join", step)), weight=data.draw(WEIGHTS))
        return replace(pool, members=_by_id([*pool.members, newcomer])), {
            **reps,
            newcomer.rep_id: _drawn_rep(("join", step), data),
        }
    if move in {"away", "back"}:
        one = data.draw(st.sampled_from(sorted(reps, key=str)))
        return pool, {**reps, one: replace(reps[one], is_on=move == "back")}
    return pool, reps


def _check_who_could_not(before: Pool, after: Pool, chosen: UserId | None, reps: dict[UserId, Rep]) -> None:
    for old, new in zip(before.members, after.members, strict=True):
        if not reps[old.rep_id].is_on:
            assert old == new
            assert old.rep_id != chosen
