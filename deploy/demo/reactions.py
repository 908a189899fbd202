"""What a rep does with a lead handed to them: a pure function of the lead's truth, the rep's ways and the seed.

Planned once per assignment; the driver sends each step when its moment comes and the handoff still allows it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from deploy.demo.cast import Rep, Team
from deploy.demo.dice import Dice
from deploy.demo.leads import Lead
from deploy.demo.open_time import at_work_after

__all__ = ["Deal", "Given", "Step", "Verb", "reactions"]

Verb = Literal["accept", "reject", "touch", "pause", "resume", "dispose", "deal"]
# Reps go through their queue in rounds; hand-raisers are called at once, after two minutes or after four.
_ROUND, _AT_ONCE = timedelta(hours=2), timedelta(minutes=2)
_ROUND_OF_NOTES = {"berlin": timedelta(hours=14), "newyork": timedelta(hours=18)}


@dataclass(frozen=True, slots=True)
class Given:
    """An assignment as the rep sees it."""

    assigned_at: datetime
    attempt: int
    is_hand_raiser: bool


@dataclass(frozen=True, slots=True)
class Deal:
    """What the CRM will say of an opportunity."""

    result: Literal["open", "won", "lost"]
    amount_minor: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done at a moment: a command of the rep, or news of the CRM."""

    at: datetime
    verb: Verb
    reason: str = ""
    until: datetime | None = None
    disposition: str = ""
    deal: Deal | None = None


def reactions(dice: Dice, person: Lead, given: Given, *, rep: Rep, team: Team) -> tuple[Step, ...]:
    """The steps of this rep with this lead, in order; none when they let the promise expire."""
    name = (person.number, rep.email, given.attempt)
    if dice.happens(rep.misses, "misses", *name):
        return ()
    first = _first_reaction(dice, given, name, rep=rep, team=team)
    if person.flaw and dice.happens(0.85, "sees the flaw", *name):
        return (_rejection(person.flaw, first),)
    if dice.happens(0.05, "wrong about it", *name):
        return (_rejection(dice.one_of(("no_need", "no_fit", "no_budget"), "wrong how", *name), first),)
    worked = list(_work(dice, person, given, first, rep=rep, team=team))
    return tuple(worked)


def _first_reaction(dice: Dice, given: Given, name: tuple[object, ...], *, rep: Rep, team: Team) -> datetime:
    if given.is_hand_raiser:
        # Somebody waits on the line: minutes, with a tail that misses the five of the promise now and then.
        minutes = min(dice.delay(1.7, "first", *name), 30)
        return _on_grid(at_work_after(given.assigned_at, minutes=minutes, rep=rep, team=team), _AT_ONCE)
    minutes = min(dice.delay(rep.pace_minutes, "first", *name), 400)
    return _on_grid(at_work_after(given.assigned_at, minutes=minutes, rep=rep, team=team), _ROUND)


def _rejection(reason: str, at: datetime) -> Step:
    until = at + timedelta(days=45) if reason == "bad_timing" else None
    return Step(at, "reject", reason=reason, until=until)


def _work(dice: Dice, person: Lead, given: Given, first: datetime, *, rep: Rep, team: Team) -> list[Step]:
    name = (person.number, rep.email, given.attempt)
    steps = [Step(first, "touch" if given.is_hand_raiser else "accept")]
    touched = first
    if not given.is_hand_raiser:
        minutes = min(dice.delay(1.6 * rep.pace_minutes, "touches", *name), 500)
        touched = _on_grid(at_work_after(first, minutes=minutes, rep=rep, team=team), _ROUND)
        if dice.happens(0.04, "pauses", *name):
            resumed = _evening(touched + timedelta(days=2), rep=rep, team=team)
            steps.append(Step(touched, "pause", reason="waiting_for_lead", until=resumed + timedelta(hours=2)))
            steps.append(Step(resumed, "resume"))
            touched = _on_grid(at_work_after(resumed, minutes=45, rep=rep, team=team), _ROUND)
        steps.append(Step(touched, "touch"))
    decided = _evening(touched + timedelta(days=dice.between(0.6, 5.0, "decides", *name)), rep=rep, team=team)
    if not person.will_buy and dice.happens(0.62, "sees that they will not buy", *name):
        steps.append(_given_up(dice, decided, name))
        return steps
    amount = round(dice.delay(1_900_000, "amount", person.number) / 10_000) * 10_000 + 490_000
    steps.append(Step(decided, "dispose", disposition="opportunity"))
    steps.append(Step(decided, "deal", deal=Deal("open", amount)))
    closes = _evening(decided + timedelta(days=dice.between(1, 6, "closes", *name)), rep=rep, team=team)
    lost = dice.one_of(("price", "competitor_won", "no_decision", "feature_missing"), "lost why", *name)
    end = Deal("won", amount) if person.will_buy else Deal("lost", amount, reason=lost)
    steps.append(Step(closes, "deal", deal=end))
    return steps


def _given_up(dice: Dice, at: datetime, name: tuple[object, ...]) -> Step:
    if dice.happens(0.25, "disqualifies", *name):
        return Step(at, "dispose", disposition="disqualify", reason="no_fit")
    return Step(at, "dispose", disposition="recycle", reason="no_answer_after_6")


def _evening(moment: datetime, *, rep: Rep, team: Team) -> datetime:
    """The hour of a working day, on or after a moment, in which reps write down what became of their leads."""
    day = at_work_after(moment, minutes=1, rep=rep, team=team)
    written = day.replace(hour=0, minute=0, second=0, microsecond=0) + _ROUND_OF_NOTES[team.name]
    if written >= moment:
        return written
    return _evening(day.replace(hour=0) + timedelta(days=1), rep=rep, team=team)


def _on_grid(moment: datetime, grid: timedelta) -> datetime:
    """The moment, or the next one on the grid."""
    past = (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) % grid
    return moment if not past else moment + (grid - past)
