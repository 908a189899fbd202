"""Whose failure a loop's failure is: what may succeed later is waited for, however it is wrapped; the rest ends it."""

import pytest

from shared.db.engine import is_retryable
from shared.errors import Busy, Fatal, Refused
from shared.runtime.pace import Pace
from shared.runtime.periodic import FAILURES_MOST, supervised

LATER = [Busy("later"), TimeoutError(), ConnectionResetError()]


def _group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("of a task group", errors)


@pytest.mark.parametrize("error", [*LATER, _group(*LATER), _group(_group(LATER[0]), LATER[1])])
def test_what_may_succeed_later_is_told_through_groups(error: Exception) -> None:
    assert is_retryable(error)


@pytest.mark.parametrize(
    "error",
    [ValueError(), Refused("never"), _group(LATER[0], ValueError()), _group(_group(Refused("never")), LATER[1])],
)
def test_one_failure_of_ours_makes_the_whole_ours(error: Exception) -> None:
    assert not is_retryable(error)


async def _turns(error: Exception, *, fail: int) -> int:
    """How often a loop is run that fails so often, then asks to be stopped."""
    pace, turns = Pace(), 0

    async def run(pace: Pace) -> None:
        nonlocal turns
        turns += 1
        if turns > fail:
            pace.stop()
            return
        pace.wake()  # no back-off
        raise error

    await supervised("test", run, pace)
    return turns


async def test_a_loop_whose_tasks_all_wait_for_others_is_run_again_for_ever() -> None:
    assert await _turns(_group(*LATER), fail=3 * FAILURES_MOST) == 3 * FAILURES_MOST + 1


async def test_a_loop_that_fails_by_itself_ends_the_process() -> None:
    with pytest.raises(Fatal, match=f"failed {FAILURES_MOST} times in a row: ExceptionGroup"):
        await _turns(_group(LATER[0], ValueError()), fail=FAILURES_MOST)
