"""What a row of a lead holds, as a release before and after this one reads it."""

from typing import NamedTuple

import msgspec
import pytest

from services.scoring.domain.qualify import NEVER, Standing, given_back, joined
from services.scoring.store.encoding import standing_from, standing_text

NOW = 1_780_000_000_000_000
QUALIFIED = Standing(is_qualified=True, since_us=NOW, number=1, policy="qualified", has_stood=True, flips=1)
OWN = Standing(since_us=NOW - 1, number=2)
TAKEN_OVER = joined(OWN, QUALIFIED, member_id="lee")


class _Before(NamedTuple):
    """A standing as the release before read it, which refuses a longer row."""

    is_qualified: bool = False
    since_us: int = 0
    number: int = 0
    policy: str = "none"
    has_stood: bool = False
    ask_used_us: int = 0
    closed_us: int = 0
    is_drawn: bool = False
    flips: int = 0


@pytest.mark.parametrize("standing", [QUALIFIED, OWN, given_back(TAKEN_OVER, member_id="lee")])
def test_beside_a_newer_release_the_one_before_reads_each_standing_that_no_merge_made(standing: Standing) -> None:
    before = msgspec.json.decode(standing_text(standing), type=_Before)
    assert before == standing[:9]


@pytest.mark.parametrize("standing", [NEVER, QUALIFIED, OWN, TAKEN_OVER, given_back(TAKEN_OVER, member_id="lee")])
def test_a_standing_comes_back_as_it_was_written(standing: Standing) -> None:
    assert standing_from(standing_text(standing)) == standing


def test_a_standing_the_release_before_wrote_is_read() -> None:
    assert standing_from(msgspec.json.encode(_Before(is_qualified=True, number=3)).decode()) == Standing(
        is_qualified=True, number=3
    )
