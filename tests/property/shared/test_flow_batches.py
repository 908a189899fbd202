"""Whatever fails and however often.

Each record is applied or parked exactly once, in order, and only poison is parked.
"""

from hypothesis import given
from hypothesis import strategies as st

from shared.stream import flow
from shared.stream.flow import Failure, Guard, Move, Slice

STEPS_MOST = 50_000


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, frozenset[int], list[bool], Guard]:
    size = draw(st.integers(1, 64))
    poison = draw(st.frozensets(st.integers(0, size - 1), max_size=4))
    transient = draw(st.lists(st.booleans(), max_size=60))
    guard = draw(st.sampled_from([Guard.WHOLE, Guard.SINGLY, Guard.PARK]))
    return size, poison, transient, guard


@given(batches())
def test_only_poison_is_parked_and_all_else_is_applied_in_order(
    batch: tuple[int, frozenset[int], list[bool], Guard],
) -> None:
    size, poison, transient, guard = batch
    failures = iter(transient)
    done: list[tuple[int, str]] = []
    work = flow.begin(size, guard=guard)
    is_parking = work.move is Move.PARK
    for _ in range(STEPS_MOST):
        if work.move is Move.DONE:
            break
        first: Slice = work.first
        assert first.start == len(done), "slices are consecutive and the first is next"
        is_parking = is_parking or work.move is Move.PARK
        if next(failures, False):
            work = flow.failed(work, Failure.TRANSIENT)
        elif is_parking:
            assert len(first) == 1
            done.append((first.start, "parked"))
            work, is_parking = flow.succeeded(work), False
        elif poison & set(range(first.start, first.stop)):
            work = flow.failed(work, Failure.DETERMINISTIC)
        else:
            done.extend((index, "applied") for index in range(first.start, first.stop))
            work = flow.succeeded(work)
    assert work.move is Move.DONE
    assert [index for index, _ in done] == list(range(size))
    parked = {index for index, what in done if what == "parked"}
    assert parked - ({0} if guard is Guard.PARK else set()) == poison - ({0} if guard is Guard.PARK else set())


@given(st.integers(1, 512), st.integers(0, 511))
def test_one_poison_costs_a_logarithm_of_transactions(size: int, poison: int) -> None:
    poison %= size
    work, transactions = flow.begin(size), 0
    while work.move is not Move.DONE:
        transactions += 1
        first = work.first
        if work.move is Move.PARK or not first.start <= poison < first.stop:
            work = flow.succeeded(work)
        else:
            work = flow.failed(work, Failure.DETERMINISTIC)
    assert transactions <= 2 * size.bit_length() + 3
