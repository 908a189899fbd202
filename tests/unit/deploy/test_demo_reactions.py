"""The demo's reps: at work in their own hours only, and steady: the same lead in the same hands goes the same way."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from deploy.demo import cast
from deploy.demo.dice import Dice
from deploy.demo.open_time import CLOSES, OPENS, at_work_after
from deploy.demo.reactions import Given, Step, reactions
from deploy.demo.story import tell

_BERLIN, _NEW_YORK = cast.TEAMS
_ANNA, _MAYA = cast.REPS[0], cast.REPS[5]
_TEAM_OF = {team.name: team for team in cast.TEAMS}
_DICE = Dice(7)


def _all_steps() -> list[tuple[cast.Rep, tuple[Step, ...]]]:
    found = []
    for number, person in tell(7).people.items():
        rep = cast.REPS[number % 10]
        given = Given(person.arrives_at, 1, is_hand_raiser=person.asks_for_demo)
        found.append((rep, reactions(_DICE, person, given, rep=rep, team=_TEAM_OF[rep.team])))
    return found


@pytest.mark.parametrize(
    ("moment", "minutes", "expected"),
    [
        (datetime(2026, 6, 1, 7, tzinfo=UTC), 30, datetime(2026, 6, 1, 7, 30, tzinfo=UTC)),
        (datetime(2026, 6, 5, 15, 50, tzinfo=UTC), 30, datetime(2026, 6, 8, 6, 20, tzinfo=UTC)),  # over a weekend
        (datetime(2026, 7, 10, 15, 50, tzinfo=UTC), 30, datetime(2026, 7, 27, 6, 20, tzinfo=UTC)),  # over her absence
    ],
)
def test_minutes_at_work_leave_out_nights_weekends_and_absences(
    moment: datetime, minutes: int, expected: datetime
) -> None:
    assert at_work_after(moment, minutes=minutes, rep=_ANNA, team=_BERLIN) == expected


def test_a_holiday_of_the_team_is_no_day_at_work() -> None:
    day_before = datetime(2026, 7, 2, 21, 50, tzinfo=UTC)
    back = at_work_after(day_before, minutes=30, rep=_MAYA, team=_NEW_YORK)
    assert back.astimezone(ZoneInfo(_NEW_YORK.zone)).date() == date(2026, 7, 6)


def test_every_first_reaction_falls_into_the_reps_own_hours() -> None:
    for rep, steps in _all_steps():
        for step in steps[:1]:
            local = step.at.astimezone(ZoneInfo(_TEAM_OF[rep.team].zone))
            assert OPENS <= local.time() <= CLOSES
            assert local.weekday() < 5


def test_the_same_assignment_is_worked_the_same_way() -> None:
    assert _all_steps() == _all_steps()


def test_steps_come_in_order_and_end_in_a_rejection_a_disposition_or_a_deal() -> None:
    for _, steps in _all_steps():
        assert [step.at for step in steps] == sorted(step.at for step in steps)
        assert not steps or steps[-1].verb in {"reject", "dispose", "deal"}


def test_a_rejection_has_a_reason_and_the_fields_the_reason_needs() -> None:
    rejections = [step for _, steps in _all_steps() for step in steps if step.verb == "reject"]
    assert len({step.reason for step in rejections}) >= 5
    for step in rejections:
        assert step.reason
        assert (step.until is not None) == (step.reason == "bad_timing")


def test_some_promises_expire_some_leads_are_won_and_some_lost() -> None:
    ends = Counter(
        steps[-1].deal.result if steps and steps[-1].deal else steps[-1].verb if steps else "expired"
        for _, steps in _all_steps()
    )
    assert min(ends[end] for end in ("expired", "reject", "dispose", "won", "lost")) >= 10


def test_hand_raisers_hear_from_somebody_within_minutes_when_the_rep_is_at_work() -> None:
    noon = datetime(2026, 6, 2, 10, tzinfo=UTC)
    waits = []
    for person in tell(7).people.values():
        given = Given(noon, 1, is_hand_raiser=True)
        steps = reactions(_DICE, person, given, rep=_ANNA, team=_BERLIN)
        waits += [steps[0].at - noon] if steps else []
    waits.sort()
    assert waits[len(waits) // 2] < timedelta(minutes=4)
    assert waits[-1] > timedelta(minutes=5)  # the promise is missed now and then
