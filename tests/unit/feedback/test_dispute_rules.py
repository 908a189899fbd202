"""When a dispute is settled."""

from typing import Any
from uuid import UUID

from services.feedback.domain.disputes import Refusal, Ruling, settled, with_ruling
from tests.support.builders.feedback import START


def ruling(team: str, user: int, verdict: Any = "upheld", *, is_credited: bool = False) -> Ruling:  # noqa: ANN401
    return Ruling(team=team, user_id=UUID(int=user), verdict=verdict, is_credited=is_credited, ruled_at=START)


def test_one_team_alone_settles_nothing() -> None:
    assert settled([ruling("sales", 1)]) is None


def test_teams_that_differ_settle_nothing_and_may_rule_again() -> None:
    differing = with_ruling([ruling("sales", 1)], ruling("marketing", 2, "denied"))
    assert not isinstance(differing, Refusal)
    assert settled(differing) is None
    again = with_ruling(differing, ruling("marketing", 2))
    assert not isinstance(again, Refusal)
    assert settled(again) == ("upheld", False)


def test_credit_is_part_of_what_must_be_the_same() -> None:
    assert settled([ruling("sales", 1, is_credited=True), ruling("marketing", 2)]) is None


def test_one_person_cannot_rule_for_both_teams_and_nobody_for_none() -> None:
    both = with_ruling([ruling("sales", 1)], ruling("marketing", 1))
    none = with_ruling([], ruling("", 1))
    assert isinstance(both, Refusal)
    assert isinstance(none, Refusal)
    assert (both.code, none.code) == ("ruled_already", "no_team")
